"""What Python holds is answered and trained on as it is held: rows are rows, and a table is never its columns' names."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maskwright.errors import DataError
from maskwright.modalities.text.value import TEXT
from maskwright.records import python_values
from maskwright.records.read import is_single, records_of
from maskwright.records.record import Origin, Record

TEXTS = ["I lost my card", "the rate is wrong", "where is it?"]
ROWS = [{"n": i, "text": text} for i, text in enumerate(TEXTS)]


class Frame:
    """What data frames have in common: names, columns, and iteration over names."""

    columns = ("n", "text")

    def __getitem__(self, name: str) -> list[Any]:
        return [row[name] for row in ROWS]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)


class Capsule:
    """What offers its columns by Arrow's C interface, and nothing else."""

    def __init__(self, held: pa.Table) -> None:
        self.held = held

    def __arrow_c_stream__(self, schema: object = None) -> object:
        return self.held.__arrow_c_stream__(schema)

    def __iter__(self) -> Iterator[str]:
        return iter(("n", "text"))


TABLE = pa.Table.from_pylist(ROWS)
MANY: dict[str, Any] = {
    "list": TEXTS, "tuple": tuple(TEXTS), "array": np.array(TEXTS), "objects": np.array(TEXTS, dtype=object),
    "rows": ROWS, "columns": {"n": np.arange(3), "text": TEXTS}, "frame": Frame(), "arrow": TABLE, "capsule": Capsule(TABLE),
    "batch": TABLE.to_batches()[0], "column": TABLE["text"], "array of arrow": TABLE["text"].combine_chunks(),
    "records": [Record(text, Origin("mine", "", str(i))) for i, text in enumerate(TEXTS)],
}  # fmt: skip


@pytest.mark.parametrize("name", MANY)
def test_many_are_many_however_they_are_held(name: str) -> None:
    assert [record.value for record in records_of(MANY[name], TEXT)] == TEXTS
    assert not is_single(MANY[name], TEXT)


def test_generators_are_read_as_they_come() -> None:
    def endless() -> Iterator[str]:
        while True:
            yield from TEXTS

    found = records_of(endless(), TEXT)
    assert [next(found).value for _ in range(5)] == [*TEXTS, *TEXTS[:2]]
    assert [record.value for record in records_of(iter(ROWS), TEXT)] == TEXTS


@pytest.mark.parametrize("one", ["a text", np.array("a text"), np.str_("a text"), {"n": 1, "text": "a text"}])
def test_one_is_one(one: Any) -> None:
    assert [record.value for record in records_of(one, TEXT)] == ["a text"]
    assert is_single(one, TEXT)


def test_a_field_names_the_column(tmp_path: Path) -> None:
    two = {"title": ["a b", "c d"], "body": ["e f", "g h"]}
    with pytest.raises(DataError, match=r"several columns hold text \(title, body\)"):
        list(records_of(two, TEXT))
    assert [record.value for record in records_of(two, TEXT, field="body")] == two["body"]
    with pytest.raises(DataError, match="no column 'bdy'"):
        list(records_of(two, TEXT, field="bdy"))
    with pytest.raises(DataError, match="here is no table"):
        list(records_of(TEXTS, TEXT, field="body"))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([None, "a"], r"input\[0\]: expected text, got NoneType"),
        (["a", {"text": "b"}], r"input\[1\]: expected text, got dict"),
        ([{"text": "b"}, "a"], "row 2: expected a dictionary, as the first rows are, got str"),
        ({"text": ["a"], "n": [1, 2]}, r"different lengths \(text: 1, n: 2\)"),
        ([{"text": "a"}, {"text": " "}], "row 2: field '.*' is blank; drop the row"),
        ([{"text": "a"}, {"text": None}], "row 2: field 'text' is missing"),
        (3, "expected text, got int"),
        (np.zeros((2, 2)), "expected text, got"),
    ],
)
def test_what_is_no_text_is_named(given: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        list(records_of(given, TEXT))


def test_paths_are_read_and_patterns_expanded(tmp_path: Path) -> None:
    for number, text in enumerate(TEXTS):
        (tmp_path / f"{number}.txt").write_text(text)
    pq.write_table(TABLE, tmp_path / "table.parquet")
    assert [record.value for record in records_of(tmp_path / "table.parquet", TEXT)] == TEXTS
    assert [record.value for record in records_of(tmp_path / "*.txt", TEXT)] == TEXTS
    (tmp_path / "a[1].txt").write_text("brackets in its name")
    assert [record.value for record in records_of(tmp_path / "a[1].txt", TEXT)] == ["brackets in its name"]
    assert python_values.expanded(str(tmp_path / "*.txt")) == sorted(glob.glob(str(tmp_path / "*.txt")))
    with pytest.raises(DataError, match="no file matches"):
        python_values.expanded(str(tmp_path / "*.csv"))


def test_strings_are_paths_where_they_are_there_and_texts_where_none_is(tmp_path: Path) -> None:
    paths = [str(tmp_path / "a.txt"), str(tmp_path / "b.txt")]
    (tmp_path / "a.txt").write_text("x")
    assert python_values.paths_or_texts(TEXTS, "data") == ()
    assert python_values.paths_or_texts(paths[:1], "data") == (paths[0],)
    for mixture, number in ((paths, 1), ([paths[1]], 0), ([paths[0], "a text"], 1)):
        with pytest.raises(DataError, match=rf"data\[{number}\]: no such file or folder"):
            python_values.paths_or_texts(mixture, "data")


class Twins(Frame):
    columns = ("text", "text")


class Lazy(Frame):
    def __getitem__(self, name: str) -> list[Any]:
        raise TypeError("not subscriptable")


def test_frames_that_cant_be_read_are_errors_and_nothing_is_answered_by_names() -> None:
    for frame, words in ((Twins(), "two columns have one name, 'text'"), (Lazy(), r"a Lazy whose columns can't be read")):
        with pytest.raises(DataError, match=words):
            list(records_of(frame, TEXT))
    assert list(records_of(TABLE.slice(0, 0), TEXT)) == []
