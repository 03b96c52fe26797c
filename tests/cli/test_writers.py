"""Answers go to files whole or not at all, and nothing that is there is overwritten."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import maskwright as mw
from maskwright.cli.format import EMBED_SCHEMA, arrow_schema
from maskwright.cli.writers import LISTED, Answered, Answers, OwnFiles
from maskwright.errors import RunError
from maskwright.records.record import Origin, Record

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def test_files_stream_to_files(folder: Path, table: Path, tmp_path: Path, run: Run, model: mw.Model) -> None:
    done = run("fill", folder, table, "--out", tmp_path / "out.parquet")
    assert done.returncode == 0, done.stderr
    assert "skipped 2 of 22 records" in done.stderr
    assert "in.jsonl:6: not JSON" in done.stderr
    assert "no blank in 'no blank'" in done.stderr
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert len(rows) == 20
    assert set(rows[0]) == {"input.text", "id", "source", "text", "prob", "log_prob", "slots", "completions"}
    assert rows[0]["source"].endswith("in.jsonl:1")
    run("score", folder, table, "--out", tmp_path / "out.jsonl")
    scored = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert len(scored) == 21
    done = run("embed", folder, table, "--out", tmp_path / "out.npy")
    vectors = np.load(tmp_path / "out.npy", allow_pickle=False)
    ids = [json.loads(line) for line in (tmp_path / "out.ids.jsonl").read_text().splitlines()]
    assert vectors.shape == (21, 48)
    assert [row["id"] for row in scored] == [row["id"] for row in ids]
    assert np.abs(vectors[-1] - model.embed("no blank")).max() < 1e-5
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.jsonl", "out.ids.jsonl", "out.jsonl", "out.npy", "out.parquet"]


def test_nothing_is_overwritten_or_half_written(folder: Path, table: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "out.parquet").write_text("precious")
    refused = run("score", folder, table, "--out", tmp_path / "out.parquet")
    assert refused.returncode == 2
    assert "exists; name another" in refused.stderr
    assert (tmp_path / "out.parquet").read_text() == "precious"
    stopped = run("score", folder, table, "--out", tmp_path / "b.parquet", "--on-bad", "stop")
    assert stopped.returncode == 2
    assert "in.jsonl:6" in stopped.stderr.splitlines()[-1]
    (tmp_path / "only.txt").write_text("no blank here\n")
    nothing = run("fill", folder, tmp_path / "only.txt", "--out", tmp_path / "c.jsonl")
    assert nothing.returncode == 2
    assert "nothing was left to answer" in nothing.stderr.splitlines()[-1]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.jsonl", "only.txt", "out.parquet"]


SCHEMA = arrow_schema(EMBED_SCHEMA)
FILES = OwnFiles("pictures", (".png",), lambda answered: [(data, ".png") for data in answered.answer])


def embedded(number: int, vector: list[float]) -> Answered:
    record = Record(f"text {number}", Origin("ü.txt", "", str(number)))
    return Answered(record, vector, lambda record, answer: {"embedding": answer})


def picture(name: str) -> Answered:
    return Answered(Record("", Origin(name)), [name.encode()], lambda record, answer: {})


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@given(st.lists(st.lists(st.lists(st.floats(-9, 9, width=32), min_size=3, max_size=3), min_size=1, max_size=4), min_size=1))
@settings(deadline=None, max_examples=40)
def test_every_kind_of_file_holds_the_answers_in_order(
    tmp_path_factory: pytest.TempPathFactory, groups: list[list[list[float]]]
) -> None:
    out, vectors = tmp_path_factory.mktemp("out"), [vector for group in groups for vector in group]
    given = [embedded(number, vector) for number, vector in enumerate(vectors, 1)]
    ids = [{"id": answered.record.id, "source": str(answered.record.source)} for answered in given]
    for name in ("a.jsonl", "a.npy"):
        rest = iter(given)
        with Answers(out / name, SCHEMA, "embedding") as sink:
            for group in groups:
                sink.add([next(rest) for _ in group])
    assert rows(out / "a.jsonl") == [own | {"embedding": vector} for own, vector in zip(ids, vectors, strict=True)]
    assert rows(out / "a.ids.jsonl") == ids
    assert np.array_equal(np.load(out / "a.npy", allow_pickle=False), np.array(vectors, dtype="<f4"))
    assert sorted(path.name for path in out.iterdir()) == ["a.ids.jsonl", "a.jsonl", "a.npy"]


origins = st.builds(
    Origin, st.sampled_from(["a/x.png", "b/x.png", "b/a-x.png", "x.png", "x-1.png", "x-2.png", "x~2.png", "query[0]"]),
    st.just("row "), st.sampled_from(["", "1", "2", "1[0]"]),
)  # fmt: skip


@given(st.lists(origins, min_size=1, max_size=12), st.integers(1, 3))
@settings(deadline=None, max_examples=40)
def test_files_in_a_folder_are_named_after_their_records_and_none_takes_the_place_of_another(
    tmp_path_factory: pytest.TempPathFactory, sources: list[Origin], several: int
) -> None:
    out = tmp_path_factory.mktemp("out") / "filled"
    held = [[f"{number} {which}".encode() for which in range(several)] for number in range(len(sources))]
    with Answers(out, pa.schema([]), own=FILES) as sink:
        for source, data in zip(sources, held, strict=True):
            sink.add([Answered(Record("", source), data, lambda record, answer: {})])
    listed = rows(out / LISTED)
    assert [row["source"] for row in listed] == [str(source) for source in sources for _ in range(several)]
    assert [(out / str(row["file"])).read_bytes() for row in listed] == [data for datas in held for data in datas]
    assert {path.name for path in out.iterdir()} == {LISTED, *(str(row["file"]) for row in listed)}
    assert Path(sources[0].name).stem in str(listed[0]["file"])


def lights_out(path: Path, answers: list[Answered], own: OwnFiles | None = None) -> None:
    """Something fails while answers are written."""
    with Answers(path, SCHEMA, None if own else "embedding", own) as sink:
        sink.add(answers)
        assert list(path.parent.iterdir())
        raise RuntimeError("the lights went out")


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl", "a.npy", "a-folder"])
def test_where_something_fails_in_the_middle_nothing_is_left_behind(tmp_path: Path, name: str) -> None:
    own = None if "." in name else FILES
    with pytest.raises(RuntimeError, match="the lights went out"):
        lights_out(tmp_path / name, [embedded(1, [0.5, 0.25]) if own is None else picture("a.png")], own)
    assert not list(tmp_path.iterdir())


def test_several_pictures_dont_go_into_one_file_and_none_is_left_in_it(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="several pictures don't go into one file; name a folder"):
        lights_out(tmp_path / "one.png", [picture("a.png"), picture("b.png")], FILES)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> Path:
    """Tickets with other columns, some of which an answer has too, in three formats."""
    home = tmp_path_factory.mktemp("shop")
    rows = [{"id": f"t{i}", "text": text, "topic": f"a;{i % 3}", "stars": i % 5} for i, text in enumerate(texts[:30])]
    with open(home / "in.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    (home / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = pa.Table.from_pylist(rows).append_column("vector", pa.array([[0.5] * 3] * 30))
    far = pa.array([3_000_000] * 30, pa.int32()).cast(pa.date32())
    pq.write_table(table.append_column("far", far), home / "in.parquet")
    return home


def answers(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return list(pq.read_table(path).to_pylist())
    if path.suffix == ".csv":
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("into", ["parquet", "csv", "jsonl"])
@pytest.mark.parametrize("name", ["in.csv", "in.jsonl", "in.parquet"])
def test_the_inputs_own_columns_stay_beside_the_answer(
    folder: Path, shop: Path, tmp_path: Path, run: Run, model: mw.Model, texts: list[str], name: str, into: str
) -> None:
    out = tmp_path / f"out.{into}"
    done = run("score", folder, shop / name, "--field", "text", "--out", out)
    assert done.returncode == 0, done.stderr
    rows = answers(out)
    assert list(rows[0])[:6] == ["input.id", "text", "topic", "stars", "id", "source"]
    assert [row["text"] for row in rows] == texts[:30]
    assert [row["input.id"] for row in rows] == [f"t{i}" for i in range(30)]
    assert [int(row["stars"]) for row in rows] == [i % 5 for i in range(30)]
    assert [float(row["total"]) for row in rows] == pytest.approx([s.total for s in model.score(texts[:30])], rel=1e-6)


def test_what_is_kept_sorted_and_left_out_is_said(folder: Path, shop: Path, tmp_path: Path, run: Run) -> None:
    def rows(*more: str) -> list[dict[str, Any]]:
        out = tmp_path / f"{len(list(tmp_path.iterdir()))}.jsonl"
        done = run("score", folder, shop / "in.csv", "--field", "text", "--out", out, *more)
        assert done.returncode == 0, done.stderr
        return answers(out)

    every = rows("--keep", "none")
    assert "topic" not in every[0]
    assert list(rows("--keep", "stars,topic")[0])[:2] == ["topic", "stars"]  # in the order of the input
    means = [row["mean"] for row in every]
    assert [row["mean"] for row in rows("--sort", "mean")] == sorted(means, reverse=True)
    assert [row["mean"] for row in rows("--top", "4")] == sorted(means, reverse=True)[:4]
    assert [row["stars"] for row in rows("--sort", "stars", "--top", "7")] == ["4"] * 6 + ["3"]
    odd = rows("--false-alarms", "0.3", "--only", "odd")
    assert len(odd) < 30
    assert all(row["odd"] for row in odd)
    for options, words in (
        (["--keep", "nothing"], "'nothing' is no column; there are: id, text, topic, stars"),
        (["--sort", "nothing"], "no column 'nothing' to sort by"),
        (
            ["--only", "odd"],
            "no line is drawn between odd records and ordinary ones; say how rare they shall be among",
        ),
        (["--only", "even"], "--only even: choose odd, or leave it out"),
    ):
        refused = run("score", folder, shop / "in.csv", "--field", "text", "--out", tmp_path / "never.csv", *options)
        assert refused.returncode == 2
        assert words in refused.stderr.splitlines()[-1]
    assert not (tmp_path / "never.csv").exists()
    refused = run(
        "score", folder, shop / "in.parquet", "--field", "text", "--keep", "vector", "--out", tmp_path / "never.csv"
    )
    assert "'vector' can't be kept" in refused.stderr.splitlines()[-1]
