"""What a data set or a model is, is said in one screen."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import maskwright as mw
from maskwright.cli import inspect
from maskwright.records.notices import unheard
from maskwright.records.table import AS_FOUND

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def test_a_model_and_data_are_told_apart(folder: Path, corpus: Path, run: Run) -> None:
    assert "calibrated" in run("inspect", folder).stdout
    assert "3,000 records" in run("inspect", corpus).stdout
    assert "taken for text: as asked" in run("inspect", corpus, "--modality", "text").stdout


def test_the_screen_of_a_model_says_what_its_folder_says(folder: Path, model: mw.Model) -> None:
    said, about = "\n".join(inspect.model(folder)), model.about
    assert said.startswith(f"{folder}: a model\n")
    assert about.data is not None
    assert about.held_out is not None
    assert f"tickets.txt: {about.data.records:,} records" in said
    assert "width 48, 2 layers, 2 heads, reads 32 tokens" in said
    assert f"step {about.trained.steps} " in said
    assert f"held-out {about.held_out.bits_per_byte:.3f} bits a byte (counting: neighbours" in said


def test_a_run_on_its_way_says_how_far_it_has_come(tmp_path: Path) -> None:
    on = f"  it goes on with: maskwright train --out {tmp_path} --resume"
    assert inspect.model(tmp_path) == [f"{tmp_path}: a run that is not finished", on]
    lines = [{"step": 1, "loss": 9.0}, *({"step": n, "held_out": {"bits_per_byte": 6 - n}} for n in (2, 4))]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 5, "lo')
    assert inspect.model(tmp_path)[1:3] == ["  it stands at step 4", on]


@given(st.lists(st.sampled_from(["I lost my card.", "I  lost my card. ", "Where is it?", "I lost my CARD."]), min_size=1))
@settings(deadline=None, max_examples=30)
def test_records_that_repeat_another_are_counted_as_training_would(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    path = tmp_path_factory.mktemp("data") / "lines.txt"
    path.write_text("\n".join(lines))
    first, *_, last = inspect.data(str(path), None, None, AS_FOUND, "text", unheard, unheard)
    assert first == f"{path}: {len(lines)} records"
    assert last.strip() == f"{len(lines) - len({' '.join(line.split()) for line in lines})} of them repeat another"
