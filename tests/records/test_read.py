"""Every format gives the same records; what can't be read is one line that names it."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
import zstandard

from maskwright.errors import DataError
from maskwright.records.read import Source, read, records_of

TEXTS = ["Grüße aus Köln", 'with, comma and "quotes"', "two\nlines", "漢字 и кириллица 🎈", "plain"]
ROWS = [{"n": i, "text": text, "who": f"p{i % 2}"} for i, text in enumerate(TEXTS)]


def _csv(path: Path, separator: str = ",") -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["n", "text", "who"], delimiter=separator)
        writer.writeheader()
        writer.writerows(ROWS)


def _jsonl(path: Path) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS), encoding="utf-8")


def _stream(path: Path) -> None:
    table = pa.Table.from_pylist(ROWS)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)


WRITERS: dict[str, Callable[[Path], Any]] = {
    "a.jsonl": _jsonl,
    "a.csv": _csv,
    "a.tsv": lambda path: _csv(path, "\t"),
    "a.parquet": lambda path: pq.write_table(pa.Table.from_pylist(ROWS), path),
    "a.feather": lambda path: pyarrow.feather.write_feather(pa.Table.from_pylist(ROWS), path),
    "a.arrow": _stream,
}


def values(path: object, **options: Any) -> list[str]:
    return [record.value for record in read(Source(paths=(str(path),), **options))]


@pytest.mark.parametrize("name", WRITERS)
def test_every_table_gives_the_same_records(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    assert values(tmp_path / name) == TEXTS


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_compressed_files_read_like_plain_ones(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    data = (tmp_path / name).read_bytes()
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(data))
    (tmp_path / f"{name}.zst").write_bytes(zstandard.compress(data))
    assert values(tmp_path / f"{name}.gz") == values(tmp_path / f"{name}.zst") == TEXTS


def test_lines_paragraphs_and_files(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("\ufeffone\ntwo\r\n\n\n  three\n")
    assert values(path) == ["one", "two", "  three"]
    assert values(path, grain="paragraph") == ["one\ntwo", "  three"]
    assert values(path, grain="file") == ["one\ntwo\r\n\n\n  three\n"]
    assert [r.source for r in read(Source(paths=(str(path),)))] == [f"{path}:{n}" for n in (1, 2, 5)]


def test_a_text_file_in_a_folder_is_one_record_and_code_keeps_its_white_space(tmp_path: Path) -> None:
    code = "def f():\n\treturn 1  \n\n"
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.py").write_text(code)
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("never read")
    assert values(tmp_path) == ["one\ntwo\n", code]


def test_a_saved_dataset_is_read_and_of_several_splits_one_must_be_named(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        _stream(tmp_path / split / "data-00000-of-00001.arrow")
        state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}
        (tmp_path / split / "state.json").write_text(json.dumps(state))
        (tmp_path / split / "dataset_info.json").write_text("{}")
    assert values(tmp_path / "train") == TEXTS
    (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    with pytest.raises(DataError, match=r"holds the splits train, test; name one, such as .*/train"):
        values(tmp_path)
    (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": ["train"]}))
    assert values(tmp_path) == TEXTS


def test_a_path_reaches_into_nested_records_and_a_row_is_a_group(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(
        json.dumps({"id": 1, "turns": [{"text": "hi"}, {"text": "bye"}]}) + "\n" + json.dumps({"id": 2, "turns": []})
    )
    records = list(read(Source(paths=(str(path),), field="turns[].text")))
    assert [r.value for r in records] == ["hi", "bye"]
    assert records[0].group == records[1].group
    assert records[0].source != records[1].source


def test_a_column_may_have_a_dot_and_the_first_rows_may_be_empty(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("review.text,stars\n,5\nvery good,4\n")
    assert values(path) == values(path, field="review.text") == ["very good"]
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": null, "label": "x"}\n{"text": "a", "label": "y"}\n')
    assert values(path, on_bad="skip") == ["a"]


def test_rows_stay_rows(tmp_path: Path) -> None:
    _jsonl(tmp_path / "a.jsonl")
    with pytest.raises(DataError, match="--record line is for plain text; of a table, every row is a record"):
        values(tmp_path / "a.jsonl", grain="line")


def test_group_names_what_belongs_together(tmp_path: Path) -> None:
    _jsonl(tmp_path / "a.jsonl")
    groups = [r.group for r in read(Source(paths=(str(tmp_path / "a.jsonl"),), group="who"))]
    assert groups == ["p0", "p1", "p0", "p1", "p0"]


def test_ids_depend_on_content_alone() -> None:
    a, b = records_of(["same", "same"])
    assert a.id == b.id
    assert a.id != records_of("other")[0].id


BAD = {
    "no.txt": (b"\n \n", "no records"),
    "binary.txt": (b"ok\nab\x00c\x00d\n", "2 NUL bytes, the first at offset 5"),
    "latin.txt": ("fine\nGrün\n".encode("latin-1"), "invalid UTF-8 in 1 places, the first at offset 7 (byte 0xfc)"),
    "bad.jsonl": (b'{"text": "a"}\n{"text": \n', "bad.jsonl:2: not JSON"),
    "list.jsonl": (b"[1]\n", "list.jsonl:1: expected a JSON object, got list"),
    "missing.jsonl": (b'{"text": "a"}\n{"other": "b"}\n', "missing.jsonl:2: field 'text' is missing"),
    "number.jsonl": (b'{"text": "a"}\n{"text": 5}\n', "number.jsonl:2: field 'text' holds int, not text"),
    "ragged.csv": (b"text,b\none,1\ntwo\n", "ragged.csv:3: ragged row: 1 fields where the header has 2"),
    "twins.csv": (b"a,a\n1,2\n", "two columns have one name"),
    "two.csv": (b"a,b\nx,y\n", "several columns hold text (a, b); name one with --field. Its columns: a, b"),
    "surrogate.jsonl": (b'{"text": "\\ud800"}\n', "surrogate.jsonl:1: holds half a surrogate pair"),
    "none.csv": (b"a,b\n1,2\n", "no column holds text; name one with --field. Its columns: a, b"),
    "cut.parquet": (b"PAR1 and then nothing", "not a readable Parquet file"),
    "cut.arrow": (b"ARROW1 and then nothing", "not a readable Arrow file"),
    "cut.jsonl.gz": (gzip.compress(b'{"text": "a"}\n' * 1000)[:40], "can't be read"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cant_be_read_is_named_in_one_line(tmp_path: Path, name: str) -> None:
    content, words = BAD[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        values(tmp_path / name)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)
    assert str(caught.value).count("--on-bad skip") <= 1


def test_skipping_keeps_the_rest_and_reports(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "a"}\nnope\n{"text": "\xff"}\n{"text": 3}\n{"text": "z"}\n')
    said: list[str] = []
    assert values(path, on_bad="skip", report=said.append) == ["a", "z"]
    assert [line.split(":")[1] for line in said] == ["2", "3", "4"]


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        values(tmp_path / "nothing.csv")
    with pytest.raises(DataError, match="no records"):
        values(tmp_path)
    _jsonl(tmp_path / "a.jsonl")
    with pytest.raises(DataError, match=r"no column 'txt' for --field \(did you mean 'text'\?\); it has: n, text, who"):
        values(tmp_path / "a.jsonl", field="txt")
