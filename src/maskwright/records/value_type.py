"""What a record's value may be: how one is made of what Python, a table's cell or a file gives, and how it is shown.

A modality brings a `ValueType` from its own folder; files, tables and faces ask it, and know no kind of value themselves.
Nothing here, and nothing that a modality's `value.py` imports, needs torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from maskwright.errors import DataError, QueryError, option
from maskwright.records import text_stream
from maskwright.records.notices import Listener, unheard
from maskwright.records.python_values import has_columns
from maskwright.records.record import Origin, content
from maskwright.records.text_stream import OnBad


class Value:
    """Marks a class of values that are one record each, though Python might iterate over them. `bytes()` of one is what
    tells it from others."""


class Display:
    """How values of a kind are written to files of their own, and shown to a person. The defaults are those of text."""

    endings: tuple[str, ...] = ()
    """File name endings of files that hold one value each, the usual one first; empty where a line of a table is enough for
    a value."""
    cell_type = "string"
    """Type of a table column that holds such values: string, or bytes."""

    def cell(self, value: Any) -> Any:
        """A value as a table's cell holds it. Raises DataError for one that no cell can hold."""
        return str(value)

    def ending(self, value: Any) -> str:
        """Of a file that holds this value's cell and nothing else, as `endings` has it."""
        return ""

    def shown(self, value: Any) -> str:
        """A value that a verb has made, on a terminal."""
        return str(value)

    def brief(self, value: Any) -> str:
        """A value on a terminal, in a few words, beside what was found of it."""
        return str(value)

    def facts(self, values: Iterable[Any]) -> list[str]:
        """What a person wants to know of a data set, a line each; reads every value once."""
        count = sum(len(content(value)) for value in values)
        return [f"{count / 1e6:.2f} MB"]

    def strip(self, value: Any, filled: Sequence[Any]) -> bytes:
        """A PNG to look at: a value, what was hidden of it, and what it was filled with. Raises QueryError where there is
        nothing to look at."""
        raise QueryError("these values are printed, or written to a file; there is nothing to draw", option="show")

    def heat(self, value: Any, places: Sequence[tuple[int, ...]], nats: Sequence[float]) -> bytes:
        """A PNG to look at: how strange each place of it is. Raises QueryError as `strip` does."""
        return self.strip(value, ())


class ValueType(ABC):
    """One kind of value. `name` and `of_python` must be said; all else has a default, which suits values that are spelled in
    lines of text."""

    name: str
    """Plural name of this kind of value in messages: text, pictures."""
    column = ""
    """Name by which a table column is taken to hold such values, whatever other columns there are; empty: no column is taken
    by its name alone."""
    spelled_out = False
    """Whether a command-line argument that names no file is itself a value."""
    decoding_bytes = 0
    """Bytes of memory that decoding one value may take; 0: nothing has to be decoded that takes longer than reading it."""
    display = Display()

    # From Python, and from tables

    @abstractmethod
    def of_python(self, given: Any, where: str, notice: Listener = unheard) -> Any:
        """A value of what Python gives for one. `where` names it in errors; `notice` hears what a user should know. Raises
        DataError for what is none."""

    def is_one(self, given: Any) -> bool:
        """Whether what Python gives is one value, not many."""
        return isinstance(given, (str, bytes, Value)) or not (isinstance(given, Iterable) or has_columns(given))

    def of_cell(self, cell: Any, where: str, field: str, notice: Listener) -> Any:
        """The value in a table's cell; None where the cell is blank. Raises DataError."""
        if cell is None:
            raise DataError(f"field {field!r} is missing", where=where, fix=f"mend it, name another with {option('field')}")
        return self.of_python(cell, where, notice)

    def is_likely(self, cell: Any) -> bool:
        """Whether a cell of a table looks like one: by this the column is found that nobody has named."""
        try:
            return cell is not None and self.of_cell(cell, "", "", unheard) is not None
        except DataError:
            return False

    # From files

    def takes(self, path: Path) -> bool:
        """Whether a file that is found in a folder is likely one of these, or a table of them."""
        return True

    def of_stream(
        self, where: str, stream: Any, grain: str | None, whole: bool, on_bad: OnBad, notice: Listener,
        encoding: str | None = None,
    ) -> Iterator[tuple[Any, Origin]]:  # fmt: skip
        """(value, where it stands) for all that a file holds that is no table.

        `grain`: line, paragraph or file, where a user said what a record is; `whole`: the format suggests one record a file;
        `encoding`: of text, where a user said it.
        """
        for text, line in text_stream.pieces(where, stream, grain or ("file" if whole else "line"), on_bad, encoding):
            origin = Origin(where) if line is None else Origin(where, "", str(line))
            try:
                yield self.of_python(text, str(origin), notice), origin
            except DataError as error:
                on_bad(error)

    # What training asks

    def fold(self, value: Any) -> bytes | None:
        """Equal for values of which one repeats another; None: only equal values do."""
        return None

    def memory(self, value: Any) -> int:
        """About how many bytes of memory it takes."""
        return len(content(value))

    def stretches(self, value: Any, size: int) -> Iterator[tuple[Any, str]]:
        """Parts of some `size` bytes, and their places, of a value that is too large to be one of many; or all of it."""
        yield value, ""

    def excerpt(self, value: Any, size: int) -> Any:
        """A part of some `size` bytes that stands for a larger value in a sample; or all of it."""
        return value

    # Masks that come beside a query

    def mask(self, given: Any) -> Any:
        """What Python gives for a mask, read once. Raises DataError, and QueryError where there is no such thing."""
        raise QueryError(f"there are no masks of {self.name}; write the blanks into the query", option="mask")

    def masked(self, value: Any, mask: Any, where: str) -> Any:
        """A value without what a mask, as `mask` gave it, hides. Raises DataError where they don't fit."""
        return self.mask(mask)
