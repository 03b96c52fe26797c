"""Every format of table gives the same rows, each with the number by which a person finds it."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.errors import DataError
from maskwright.records import tables
from maskwright.records.table import Layout
from tests.records.written import TEXTS, WRITERS, stream, values


def rows(path: Path) -> list[tuple[dict[str, Any], str]]:
    """The rows of a table in which all can be read, and their numbers."""
    told: list[DataError] = []
    table = tables.table_of(path, Layout(header=True))
    assert table is not None
    read = [(row, number) for row, _, number in table.rows(None, told.append)]
    assert not told
    return read


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


def test_a_saved_dataset_is_read_and_of_several_splits_one_must_be_named(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        stream(tmp_path / split / "data-00000-of-00001.arrow")
        state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}
        (tmp_path / split / "state.json").write_text(json.dumps(state))
        (tmp_path / split / "dataset_info.json").write_text("{}")
    assert values(tmp_path / "train") == TEXTS
    (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    with pytest.raises(DataError, match=r"holds the splits train, test; name one, such as .*/train"):
        values(tmp_path)
    (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": ["train"]}))
    assert values(tmp_path) == TEXTS


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@given(st.lists(st.tuples(cells, cells), max_size=8), st.sampled_from(["csv", "tsv", "jsonl"]))
@settings(deadline=None, max_examples=40)
def test_whatever_text_a_cell_holds_comes_back_with_the_line_on_which_its_row_begins(
    table: list[tuple[str, str]], kind: str
) -> None:
    """Quotes, separators, line ends of any system and blank cells among them."""
    written, begun = io.StringIO(newline=""), list[int]()
    writer = csv.writer(written, delimiter="\t" if kind == "tsv" else ",")
    if kind != "jsonl":
        writer.writerow(["a", "b"])
    for a, b in table:
        begun.append(len(re.findall("\r\n|\n|\r", written.getvalue())) + 1)
        if kind == "jsonl":
            written.write(json.dumps({"a": a, "b": b}, ensure_ascii=False) + "\n")
        else:
            writer.writerow([a, b])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"table.{kind}")
        path.write_bytes(b"\xef\xbb\xbf" + written.getvalue().encode())
        assert rows(path) == [({"a": a, "b": b}, str(line)) for (a, b), line in zip(table, begun, strict=True)]


def test_a_row_that_cant_be_read_leaves_the_numbers_of_those_after_it(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'text,n\r\n"two\r\nlines",1\r\nfew\r\n\r\n\xff,2\r\nlast,3\r\n')
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "two\\nlines"}\n\nfew\n[]\n\xff\n{"text": "last"}\n')
    told: list[DataError] = []
    for name, numbers, bad in (("a.csv", [2, 7], [4, 6]), ("a.jsonl", [1, 6], [3, 4, 5])):
        path = tmp_path / name
        table = tables.table_of(path, Layout())
        assert table is not None
        assert [(row["text"], number) for row, _, number in table.rows(None, told.append)] == [
            ("two\nlines" if name == "a.jsonl" else "two\r\nlines", str(numbers[0])), ("last", str(numbers[1])),
        ]  # fmt: skip
        assert [error.where for error in told] == [f"{path}:{line}" for line in bad]
        told.clear()


@pytest.mark.parametrize("ending", ["parquet", "feather", "arrow"])
def test_rows_of_a_large_file_are_numbered_from_its_beginning(tmp_path: Path, ending: str) -> None:
    table, path = pa.table({"n": range(1, 2501)}), tmp_path / f"a.{ending}"
    if ending == "parquet":
        pq.write_table(table, path, row_group_size=700)
    elif ending == "feather":
        pyarrow.feather.write_feather(table, path, chunksize=700)
    else:
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=700)
    assert rows(path) == [({"n": number}, str(number)) for number in range(1, 2501)]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.CSV", "csv"),
        ("a.csv.gz", "csv"),
        ("a.b.NDJSON.zst", "jsonl"),
        ("a.txt", "txt"),
        ("a.py", ""),
        ("csv", ""),
        (".gz", ""),
    ],
)
def test_a_format_is_known_by_its_ending_compressed_or_not(name: str, kind: str) -> None:
    assert tables.kind_of(Path("some.csv", name)) == kind
    assert tables.is_table(Path(name)) == (kind in ("csv", "jsonl"))
