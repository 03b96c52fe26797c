"""What Python holds, as records: values, dictionaries, tables of other libraries, paths.

In: one value or many, rows as dictionaries, a data frame, an Arrow table, a data set. Out: `Table`s and `Record`s. Knows a
library by what its objects can do (Arrow's C interface, iteration), never by its name, and no kind of value.
"""

from __future__ import annotations

import glob
import itertools
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from maskwright.errors import DataError, option
from maskwright.records import field_path
from maskwright.records.columnar import Columnar
from maskwright.records.table import FIRST_ROWS, PLACES, Row, Rows, Table
from maskwright.records.text_stream import OnBad


class HeldRows(Table):
    """Rows that are dictionaries."""

    def __init__(self, name: str, held: Sequence[Mapping[Any, Any]]) -> None:
        self.name, self.held = name, held

    def columns(self) -> Sequence[str]:
        return ()

    def head(self) -> list[Row]:
        return [dict(row) for row in self.held[:FIRST_ROWS] if isinstance(row, Mapping)]

    def scattered(self) -> list[Row]:
        return [dict(row) for row in self.held[:: max(len(self.held) // PLACES, 1)] if isinstance(row, Mapping)]

    def rows(self, wanted: Collection[str] | None, on_bad: OnBad) -> Rows:
        for number, row in enumerate(self.held, 1):
            if isinstance(row, Mapping):
                yield dict(row), "row ", str(number)
            else:
                what = f"expected a dictionary, as the first rows are, got {type(row).__name__}"
                on_bad(DataError(what, where=f"{self.name}:row {number}"))


class HeldTable(Columnar):
    """A table whose columns are Arrow's."""

    kind = "Arrow"

    def __init__(self, name: str, table: pa.Table) -> None:
        self.name, self.table = name, table

    def _schema(self) -> pa.Schema:
        return self.table.schema

    def _batches(self, wanted: Sequence[str] | None, most: int | None) -> Iterator[pa.RecordBatch]:
        table = self.table if wanted is None else self.table.select(list(wanted))
        return iter(table.to_batches(max_chunksize=most or FIRST_ROWS * 10))


def table_in(given: Any, name: str) -> Table | None:
    """The table that an object of Python is; None for one that is a value, or holds values one by one. Raises DataError."""
    if isinstance(given, Table):
        return given
    if isinstance(given, Mapping):
        return _of_mapping(given, name)
    if not has_columns(given):
        return None
    try:
        if hasattr(given, "__arrow_c_stream__"):
            return HeldTable(name, pa.RecordBatchReader.from_stream(given).read_all())
        if hasattr(given, "__arrow_c_array__"):
            return HeldTable(name, pa.Table.from_batches([pa.record_batch(given)]))
    except (pa.ArrowException, TypeError, ValueError):
        pass  # a column, or a table that the interface can't carry
    if not hasattr(given, "columns"):
        return None
    names = list(given.columns)
    twice = next((column for column in names if names.count(column) > 1), None)
    if twice is not None:
        raise DataError(f"two columns have one name, {twice!r}", where=name, fix="rename one")
    try:
        return _of_mapping({column: given[column] for column in names}, name)
    except TypeError:
        what = f"a {type(given).__name__} whose columns can't be read"
        raise DataError(what, where=name, fix="compute it first (`collect()`), or give a list of rows") from None


def _of_mapping(given: Mapping[Any, Any], name: str) -> Table:
    """A dictionary of columns, or of one row."""
    splits = [key for key, value in given.items() if hasattr(value, "column_names")]
    if splits:
        what = f"holds the splits {', '.join(map(str, splits))}"
        raise DataError(what, where=name, fix=f"give one, such as {name}[{splits[0]!r}]")
    if not is_columns(given):
        return HeldRows(name, [given])
    columns = {str(key): list(values_in(value)) for key, value in given.items()}
    lengths = {key: len(values) for key, values in columns.items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{key}: {length:,}" for key, length in lengths.items())
        raise DataError(f"its columns have different lengths ({said})", where=name, fix="give them equal ones")
    return HeldRows(name, [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)])


def has_columns(given: Any) -> bool:
    """Whether an object is a table or a column of another library."""
    return any(hasattr(given, name) for name in ("__arrow_c_stream__", "__arrow_c_array__", "columns"))


def is_columns(given: Mapping[Any, Any]) -> bool:
    """Whether each value of a dictionary is a column, rather than a cell of one row."""
    return bool(given) and all(_is_many(value) for value in given.values())


def _is_many(value: Any) -> bool:
    if isinstance(value, (str, bytes, bytearray, Mapping)) or getattr(value, "ndim", 1) != 1:
        return False
    return isinstance(value, Iterable) and (hasattr(value, "__len__") or isinstance(value, Iterator))


def values_in(given: Iterable[Any]) -> Iterable[Any]:
    """The values of a column or list as Python's own."""
    return given.to_pylist() if hasattr(given, "to_pylist") else given


def scalar(given: Any) -> Any:
    """An array without axes is the value in it."""
    return given.item() if isinstance(given, np.ndarray) and given.ndim == 0 else given


def rows_or_values(given: Iterable[Any], name: str) -> tuple[Table | None, Iterator[Any]]:
    """A list or generator: of dictionaries, a table; else its values, each taken when its turn comes."""
    values = iter(values_in(given))
    first = list(itertools.islice(values, 1))
    if first and isinstance(first[0], Mapping):
        return HeldRows(name, [*first, *values]), iter(())
    return None, itertools.chain(first, values)


def expanded(path: str) -> list[str]:
    """A path, or those that match a pattern with *, ? or [...], in order. Raises DataError where none does."""
    if not any(mark in path for mark in "*?[") or os.path.lexists(path):
        return [path]
    found = sorted(glob.glob(os.path.expanduser(path), recursive=True))
    if not found:
        raise DataError("no file matches", where=path, fix="name one that is there")
    return found


def paths_or_texts(given: Sequence[Any], name: str) -> tuple[str, ...]:
    """The paths that a list of strings and paths names; none where they are texts. Raises DataError for a mixture."""
    named = [isinstance(item, os.PathLike) or _is_there(item) for item in given]
    if not any(named) and not all(map(_looks_like_path, given)):
        return ()
    for number, (item, there) in enumerate(zip(given, named, strict=True)):
        if not there:
            fix = "give paths of files that are there, or texts alone"
            raise DataError(f"no such file or folder: {item!r}", where=f"{name}[{number}]", fix=fix)
    return tuple(path for item in given for path in expanded(os.fspath(item)))


def _is_there(item: Any) -> bool:
    if not isinstance(item, str) or len(item) > 1000 or "\n" in item:
        return False
    try:
        return item == "-" or os.path.exists(item) or (any(mark in item for mark in "*?[") and bool(glob.glob(item)))
    except ValueError:  # it holds a null character
        return False


def _looks_like_path(item: Any) -> bool:
    return isinstance(item, str) and not any(map(str.isspace, item)) and (os.sep in item or bool(Path(item).suffix))


def cells(table: Table, field: str | None) -> list[Any]:
    """Some cells of a table, or of a column of it: by them is told what kind of data it holds."""
    wanted = field_path.parse(field, list(table.columns()))[0][0] if field else None
    return [cell for row in table.head() for name, cell in row.items() if wanted in (None, name)]


def blank(table: Table, field: str, number: str) -> DataError:
    """The error of a row that has nothing to answer for: to leave it out would move the answers of all that follow."""
    where = f"{table.name}:row {number}"
    return DataError(f"field {field!r} is blank", where=where, fix=f"drop the row, or name another with {option('field')}")
