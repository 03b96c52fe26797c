"""A kind of value that says no more than its name and what is one is read from files, tables and Python."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.errors import DataError, QueryError
from maskwright.records.notices import Listener, unheard
from maskwright.records.read import Source, read, records_of
from maskwright.records.value_type import Value, ValueType


class Even(Value):
    """An even number, over whose digits Python can iterate."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __bytes__(self) -> bytes:
        return str(self.number).encode()

    def __iter__(self) -> Iterator[str]:
        return iter(str(self.number))


class EvenType(ValueType):
    name = "even numbers"

    def of_python(self, given: Any, where: str, notice: Listener = unheard) -> Even:
        if isinstance(given, Even):
            return given
        if not str(given).strip().isdecimal() or int(given) % 2:
            raise DataError("not an even number", where=where)
        return Even(int(given))


EVEN = EvenType()


def test_lines_of_a_file_are_values_and_one_that_is_none_is_told_with_its_line() -> None:
    told: list[DataError] = []
    found = EVEN.of_stream("a.txt", io.BytesIO(b"2\n\nthree\n 4\n"), None, False, told.append, unheard)
    assert [(value.number, str(origin)) for value, origin in found] == [(2, "a.txt:1"), (4, "a.txt:4")]
    assert [str(error) for error in told] == ["a.txt:3: not an even number"]


def test_the_column_that_holds_such_values_is_found_without_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"who": ["ann", "bob"], "count": [10, 12]}), path)
    records = read(Source(paths=(str(path),), value_type=EVEN))
    assert [(record.value.number, str(record.source)) for record in records] == [
        (10, f"{path}:row 1"),
        (12, f"{path}:row 2"),
    ]


@given(st.lists(st.integers(0, 10**6).map(lambda number: Even(2 * number)), max_size=5))
@settings(deadline=None, max_examples=40)
def test_a_value_that_python_can_iterate_over_is_one_and_a_list_of_them_is_many(values: list[Even]) -> None:
    assert [record.value for record in records_of(values, EVEN)] == values
    for value in values:
        (record,) = records_of(value, EVEN)
        assert record.value is value


@given(st.integers(0, 10**9), st.integers(1, 100))
@settings(deadline=None, max_examples=40)
def test_a_value_that_knows_no_parts_is_never_cut(number: int, size: int) -> None:
    value = Even(2 * number)
    assert [*EVEN.stretches(value, size)] == [(value, "")]
    assert EVEN.excerpt(value, size) is value
    assert EVEN.fold(value) is None
    assert EVEN.memory(value) == len(str(2 * number))


def test_what_such_values_dont_have_is_refused_in_words_and_names_the_option() -> None:
    with pytest.raises(QueryError, match="there are no masks of even numbers; write the blanks into the query") as caught:
        EVEN.masked(Even(2), object(), "query[0]")
    assert caught.value.option == "mask"
    with pytest.raises(QueryError, match="there is nothing to draw") as caught:
        EVEN.display.strip(Even(2), ())
    assert caught.value.option == "show"
    with pytest.raises(QueryError, match="there is nothing to draw"):
        EVEN.display.heat(Even(2), [(0,)], [1.0])
    with pytest.raises(DataError, match=r"a.csv:2: field 'n' is missing; mend it, name another with `field`"):
        EVEN.of_cell(None, "a.csv:2", "n", unheard)
