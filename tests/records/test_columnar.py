"""Columns that nobody asked for cost nothing and end nothing; a cell that can't be read costs its own row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maskwright.errors import DataError
from maskwright.records.columnar import Arrow, Parquet
from tests.records.written import values

COUNT = 300
TEXTS = [f"line number {i} of a few" for i in range(COUNT)]


def not_utf8(bad: set[int]) -> pa.Array:
    cells = [b"caf\xe9" if i in bad else f"cell {i}".encode() for i in range(COUNT)]
    return pa.Array.from_buffers(pa.string(), COUNT, pa.array(cells, pa.binary()).buffers())


ODD: dict[str, Any] = {
    "nanoseconds": pa.array([1_700_000_000_123_456_789] * COUNT, pa.timestamp("ns")),
    "a duration": pa.array([1_234_567_891] * COUNT, pa.duration("ns")),
    "a date after the year 9999": pa.array([3_000_000] * COUNT, pa.int32()).cast(pa.date32()),
    "not UTF-8": not_utf8(set(range(COUNT))),
    "a struct with a name twice": pa.StructArray.from_arrays([pa.array(range(COUNT))] * 2, names=["a", "a"]),
    "an unknown time zone": pa.array(range(COUNT), pa.timestamp("us", tz="Mars/Olympus")),
    "vectors": pa.array([[0.5] * 64] * COUNT, pa.list_(pa.float32())),
}


def write(path: Path, table: pa.Table) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
    return path


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
@pytest.mark.parametrize("name", ODD)
def test_a_column_that_nobody_asked_for_ends_nothing(tmp_path: Path, name: str, ending: str) -> None:
    path = write(tmp_path / f"a.{ending}", pa.table({"text": TEXTS, "other": ODD[name]}))
    assert values(path) == values(path, field="text") == TEXTS


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_a_cell_that_cant_be_read_costs_its_own_row(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path / f"a.{ending}", pa.table({"text": not_utf8({3, 200})}))
    said: list[str] = []
    kept = values(path, on_bad="skip", on_skipped=lambda notice: said.append(str(notice)))
    assert kept == [f"cell {i}" for i in range(COUNT) if i not in (3, 200)]
    assert [line.split(": ")[0] for line in said] == [f"{path}:row 4", f"{path}:row 201"]
    with pytest.raises(DataError, match="row 4: can't be read"):
        values(path)


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_of_two_columns_with_one_name_none_is_taken(tmp_path: Path, ending: str) -> None:
    both = pa.Table.from_arrays(
        [pa.array(["right"] * 9), pa.array(["wrong"] * 9), pa.array(["x y"] * 9)], ["text", "text", "b"]
    )
    path = write(tmp_path / f"a.{ending}", both)
    with pytest.raises(DataError, match="two columns have one name, 'text'"):
        values(path)
    assert values(path, field="b") == ["x y"] * 9


def test_the_wanted_columns_are_read_and_no_others(tmp_path: Path) -> None:
    table = pa.table({"a": ["x"], "a.b": ["y"], "c": [1]})
    for made in (Parquet(write(tmp_path / "a.parquet", table)), Arrow(write(tmp_path / "a.arrow", table))):
        assert list(made.columns()) == ["a", "a.b", "c"]
        assert made.head() == [{"a": "x", "a.b": "y", "c": 1}]
        assert [row for row, *_ in made.rows({"a"}, lambda error: None)] == [{"a": "x"}]
        assert [row for row, *_ in made.rows(None, lambda error: None)] == [{"a": "x", "a.b": "y", "c": 1}]
