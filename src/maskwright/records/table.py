"""What a table offers, whatever its format: names of columns, some rows that tell which of them is wanted, and all rows.

In: nothing; formats derive from `Table`. Out: rows as dictionaries with their place, of those columns alone that are wanted:
what stands in others is not converted, and what is wrong with them ends nothing.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from maskwright.errors import DataError, option
from maskwright.records.text_stream import OnBad, known_encoding

Row = dict[str, Any]
Rows = Iterator[tuple[Row, str, str]]
"""Iterator over a table's rows, each with the `place` and `number` of its `record.Origin`."""
FIRST_ROWS, PLACES = 100, 100
"""Rows at the beginning of a table by which a column is chosen; and number of places all over the table that are examined
where those rows don't have the column."""


@dataclass(frozen=True)
class Layout:
    """How tables of text are laid out, as far as a user has said it; None: the first lines of each tell."""

    separator: str | None = None
    """Character between two cells of a row; "tab" may be spelled out."""
    header: bool | None = None
    """Whether the first row holds the columns' names; without them, columns are numbered from 1."""
    quote: str | None = None
    """Character around cells that hold separators; "none": cells are taken as they stand."""
    encoding: str | None = None
    """Character encoding of the file; it applies to plain text too."""

    def checked(self) -> Layout:
        """Itself. Raises DataError for what no table can be laid out by."""
        if self.separator is not None and (len(self.character) != 1 or self.character in '"\r\n'):
            fix = "give one character, or the word tab"
            raise DataError("no separator", where=option("separator", self.separator), fix=fix, option="separator")
        if self.quote not in (None, "none", '"'):
            raise DataError("choose none, or leave it out", where=option("quote", self.quote), option="quote")
        if self.encoding is not None:
            known_encoding(self.encoding)
        return self

    @property
    def character(self) -> str:
        """The separator itself; "" where none was said."""
        return {"tab": "\t", "\\t": "\t"}.get(self.separator or "", self.separator or "")


AS_FOUND = Layout()


def path_name(path: Path) -> str:
    """A path as messages have it, whatever bytes its name has."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _type_of(cells: Sequence[Any]) -> pa.DataType:
    """The type of a column with these cells; a string where they are of several kinds, or hold others in them."""
    try:
        kind = pa.array(cells).type
    except (pa.ArrowException, OverflowError):
        return pa.string()
    return pa.string() if pa.types.is_nested(kind) or pa.types.is_null(kind) else kind


class Table(ABC):
    """One table. Reading it twice gives the same rows."""

    name: str
    """Path of the table, as messages have it."""
    single = False
    """Whether the table is one row, whose lists hold the records."""
    words = ""
    """Message on how the table was read, where a user should know that; otherwise empty."""

    @abstractmethod
    def columns(self) -> Sequence[str]:
        """Names as the table itself lists them, before any row: one may occur twice. Empty: rows tell. Raises DataError."""

    @abstractmethod
    def head(self) -> list[Row]:
        """Some first rows, of those that can be read; cells that can hold no value may be left out."""

    def scattered(self) -> list[Row]:
        """Rows from all over the table, for columns that begin late; none where a table's head knows all columns."""
        return []

    def plain_columns(self) -> dict[str, pa.DataType]:
        """Columns whose cells are single values that can be converted, in order, and Arrow's types of them: these can be
        kept beside what is made of a row."""
        rows = [*self.head(), *self.scattered()]
        names = dict.fromkeys(name for row in rows for name in row)
        return {name: _type_of([row.get(name) for row in rows]) for name in names}

    @abstractmethod
    def rows(self, wanted: Collection[str] | None, on_bad: OnBad) -> Rows:
        """All rows, with the wanted columns at least; None: with all. `on_bad` hears of each that can't be read."""
