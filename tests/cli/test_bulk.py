"""Many records are read as they come, answered in order, and what can't be is skipped and counted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import maskwright as mw
from maskwright.cli.bulk import _rounded

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def test_standard_input_and_a_reader_that_goes_away(folder: Path, table: Path, run: Run) -> None:
    done = run("fill", folder, "-", "--json", stdin="my {mask}\n\nyour {mask} card\n")
    assert [json.loads(line)["slots"][0]["offset"] for line in done.stdout.splitlines()] == [3, 5]
    command = f"{sys.executable} -m maskwright score {folder} {table} 2>err.txt | head -n 1"
    piped = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=table.parent)
    assert len(piped.stdout.splitlines()) == 1
    assert "Traceback" not in (table.parent / "err.txt").read_text()
    assert "BrokenPipe" not in (table.parent / "err.txt").read_text()


def test_answers_come_in_the_order_of_the_records_each_with_its_id_and_source(
    folder: Path, texts: list[str], tmp_path: Path, run: Run, model: mw.Model
) -> None:
    for number, text in enumerate(texts[3000:3003]):
        (tmp_path / f"{number}.txt").write_text(text)
    rows = [json.loads(line) for line in run("score", folder, tmp_path, "--json").stdout.splitlines()]
    assert [row["source"] for row in rows] == [str(tmp_path / f"{number}.txt") for number in range(3)]
    assert len({row["id"] for row in rows}) == 3
    assert [row["total"] for row in rows] == pytest.approx([s.total for s in model.score(texts[3000:3003])], rel=1e-4)
    alone = json.loads(run("score", folder, texts[3000], "--json").stdout)
    assert alone.keys() == rows[0].keys() - {"id", "source"}


def test_where_one_of_a_group_cant_be_answered_the_others_are_unless_told_to_stop(
    folder: Path, tmp_path: Path, run: Run
) -> None:
    (tmp_path / "in.txt").write_text("my {mask}\nno blank\nyour {mask}\n")
    done = run("fill", folder, tmp_path / "in.txt")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2)
    assert "skipped: " in done.stderr
    assert done.stderr.splitlines()[-1] == "skipped 1 of 3 records"
    stopped = run("fill", folder, tmp_path / "in.txt", "--on-bad", "stop")
    assert (stopped.returncode, stopped.stdout) == (2, "")
    assert "in.txt:2: no blank in 'no blank'" in stopped.stderr


def test_pictures_to_look_at_are_not_drawn_of_a_text(folder: Path, tmp_path: Path, run: Run) -> None:
    for more in ((), ("--out", tmp_path / "strip.png")):
        refused = run("fill", folder, "my {mask}", "--show", tmp_path / "strip.png", *more)
        assert refused.returncode == 2
        assert ("--show is for pictures" in refused.stderr) == (not more)
        assert ("strip.png: is --out too; name another" in refused.stderr) == bool(more)
    assert not list(tmp_path.iterdir())


said = st.floats(-1e9, 1e9) | st.binary(max_size=9) | st.none() | st.text(max_size=9)


@given(st.recursive(said, lambda one: st.lists(one, max_size=4) | st.dictionaries(st.text(max_size=4), one, max_size=4)))
@settings(deadline=None, max_examples=50)
def test_whatever_an_answer_holds_json_can_say_it(answer: object) -> None:
    once = _rounded(answer)
    assert json.loads(json.dumps(once)) == once == _rounded(once)
    if isinstance(answer, float):
        assert once == pytest.approx(answer, rel=1e-6)
