"""Rows of tables of text: cells between separators, some of them in quotes, with a line of names or without.

In: a path, and what the user has said of its layout; the first lines tell the rest. Out: a `Table` of strings. A row that
can't be read costs itself alone, and is named by the line on which it begins: a quote that is never closed, or closed rows
later, doesn't take those rows along.
"""

from __future__ import annotations

import csv
import os
from collections import Counter, deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from maskwright.errors import DataError, option
from maskwright.records.compressed import opened
from maskwright.records.scattered import lines_of
from maskwright.records.table import FIRST_ROWS, PLACES, Layout, Row, Rows, Table
from maskwright.records.text_stream import UTF8, Guard, OnBad, TextStream

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
NO_SEPARATOR = "\x1f"
"""Separates nothing: it is the unit separator of ASCII, which stands in no table of one column."""
MOST_ROW = 1 << 26
"""Characters of a row, above which a quote is taken for one that is never closed."""
HEAD_CHARACTERS, HEAD_LINES = 1 << 20, 400
"""What the layout is told by, at most."""
NAME_WORDS = 8
"""Words that the name of a column has, at most: a longer cell in the first row is no name."""
SWALLOWED = 3
"""Lines inside one cell that all look like rows, from which its quote is taken for one that wasn't closed."""
csv.field_size_limit(MOST_ROW)


@dataclass(frozen=True)
class Found:
    """A layout that is settled."""

    separator: str
    header: bool
    quoted: bool
    encoding: str
    names: tuple[str, ...]
    """Of the columns, as the file has them, or numbers from "1"."""
    numeric: tuple[bool, ...]
    """Columns of which all cells in the first rows spell numbers."""

    @cached_property
    def labels(self) -> tuple[str, ...]:
        return labelled(self.names)

    def __str__(self) -> str:
        parts = [SEPARATORS.get(self.separator, "one column" if self.separator == NO_SEPARATOR else repr(self.separator))]
        parts += ["a header" if self.header else "no header"]
        parts += ["quotes" if self.quoted else "no quotes"] if self.quoted == (self.separator == "\t") else []
        return ", ".join(parts + ([] if self.encoding == UTF8 else [self.encoding]))


def labelled(names: Sequence[str]) -> tuple[str, ...]:
    """Names that are all different: of two that are alike the second has its place behind it, one without has its place.

    >>> labelled(["text", "", "text"])
    ('text', 'column 2', 'text.3')
    """
    out: dict[str, None] = {}
    for number, name in enumerate(names, 1):
        label = name or f"column {number}"
        while label in out:
            label = f"{label}.{number}"
        out[label] = None
    return tuple(out)


class Delimited(Table):
    """A file whose rows are lines of cells, `usual` being what separates them where the file doesn't show otherwise."""

    def __init__(self, path: Path, usual: str, said: Layout, field: str | None = None) -> None:
        """`field` is the column that was asked for: where the first row has it, that row is the header."""
        self.path, self.usual, self.said, self.field = path, usual, said, field
        self.name = os.fsencode(path).decode("utf-8", "backslashreplace")
        self._found: Found | None = None
        self._first: list[Row] = []

    @property
    def words(self) -> str:  # type: ignore[override]
        said, usual = str(self._settled()), f"{SEPARATORS[self.usual]}, a header"
        return "" if said == usual else f"read with {said}"

    def columns(self) -> Sequence[str]:
        return self._settled().names

    def head(self) -> list[Row]:
        self._settled()
        return self._first

    def plain_columns(self) -> dict[str, pa.DataType]:
        return dict.fromkeys(self._settled().labels, pa.string())

    def scattered(self) -> list[Row]:
        found, out = self._settled(), list[Row]()
        for _, text in lines_of(self.path, PLACES, self.said.encoding):
            cells = _cells(text, found)
            if cells is not None and len(cells) == len(found.names):
                out.append(_row(found.labels, cells))
        return out

    def rows(self, wanted: Collection[str] | None, on_bad: OnBad) -> Rows:
        found = self._settled()
        chosen = [(i, name) for i, name in enumerate(found.labels) if wanted is None or name in wanted]
        with Guard(self.name, on_bad), opened(self.path) as stream:
            text = TextStream.of(self.name, stream, on_bad, self.said.encoding)
            for line, cells in _Parser(self.name, found, on_bad).rows(text.texts()):
                if line > 1 or not found.header:
                    yield {name: cells[i] for i, name in chosen}, "", str(line)

    def _settled(self) -> Found:
        if self._found is None:
            lines: list[str] = []
            with Guard(self.name, _stop), opened(self.path) as stream:
                text = TextStream.of(self.name, stream, lambda error: None, self.said.encoding)
                size = 0
                for _, line in text.texts():
                    lines.append(line or "\n")
                    size += len(lines[-1])
                    if size > HEAD_CHARACTERS or len(lines) >= HEAD_LINES:
                        break
                encoding = text.encoding
            self._found, self._first = settle(lines, encoding, self.usual, self.said, self.field)
        return self._found


def _stop(error: DataError) -> None:
    raise error


def settle(lines: Sequence[str], encoding: str, usual: str, said: Layout, field: str | None) -> tuple[Found, list[Row]]:
    """The layout of a table that begins with these lines, and its first rows."""
    while lines and not lines[0].strip():
        lines = lines[1:]
    separator = said.character or _separator(lines, usual)
    quoted = said.quote != "none" if said.quote else _is_quoted(lines, separator)
    bare = Found(separator, False, quoted, encoding, (), ())
    rows = [cells for _, cells in _Parser("", bare, lambda error: None).rows(enumerate(lines, 1))]
    if not rows:
        return bare, []
    header = said.header if said.header is not None else has_header(rows, field)
    width = len(rows[0])
    if not header:  # the commonest width: the first row may be a ragged one
        width = Counter(map(len, rows)).most_common(1)[0][0]
    names = tuple(rows[0]) if header else tuple(str(number) for number in range(1, width + 1))
    body = [cells for cells in (_fitted(c, width) for c in rows[1 if header else 0 :]) if cells is not None]
    numeric = tuple(bool(body) and all(spells_number(cells[i]) for cells in body) for i in range(width))
    found = Found(separator, header, quoted, encoding, names, numeric)
    return found, [_row(found.labels, cells) for cells in body[:FIRST_ROWS]]


def _separator(lines: Sequence[str], usual: str) -> str:
    """The separator that cuts most rows into as many cells as the first has, and more than one. None does: one column."""
    best, most = NO_SEPARATOR, 0.0
    for separator in sorted(SEPARATORS, key=lambda separator: separator != usual):
        widths = [len(row) for row in _roughly(lines, separator)]
        share = widths.count(widths[0]) / len(widths) if widths and widths[0] > 1 else 0.0
        if share > most + 0.1:  # the usual one comes first, and is left for one that fits much better
            best, most = separator, share
    return best


def _roughly(lines: Sequence[str], separator: str) -> list[list[str]]:
    """Rows as a forgiving parser has them."""
    try:
        return [row for row in csv.reader(lines, delimiter=separator) if row]
    except csv.Error:
        return []


def _is_quoted(lines: Sequence[str], separator: str) -> bool:
    """Whether quotes stand around cells here, rather than in them.

    Tables with tabs are plain as a rule: there a quoted cell must hold what needs quotes, or all cells of a column must be
    quoted. Elsewhere they are plain where most rows with a quote can't be read otherwise.
    """
    begin = [line for line in lines if line.startswith('"') or f'{separator}"' in line]
    if not begin:
        return separator != "\t"
    bare = Found(separator, False, True, UTF8, (), ())
    wrong: list[DataError] = []
    rows = [cells for _, cells in _Parser("", bare, wrong.append).rows(enumerate(lines, 1))]
    if separator != "\t":
        return len(wrong) <= max(len(begin) / 2, 1)
    plain = [line.rstrip("\r\n").split(separator) for line in lines if line.strip()]
    needed = any(any(mark in cell for mark in '\t\r\n"') for cells in rows for cell in cells)
    column = any(
        all(cell[:1] == cell[-1:] == '"' and len(cell) > 1 for cell in cells) for cells in zip(*plain, strict=False)
    )
    return not wrong and (column or (needed and len({len(cells) for cells in rows}) == 1))


def has_header(rows: Sequence[Sequence[str]], field: str | None) -> bool:
    """Whether the first row has names. Names are short, and don't spell numbers above numbers, nor come again and again."""
    first, body = rows[0], rows[1:]
    if field and field in first:
        return True
    if any(len(cell.split()) > NAME_WORDS for cell in first):
        return False
    for index, name in enumerate(first):
        below = [cells[index] for cells in body if index < len(cells) and cells[index].strip()]
        if spells_number(name) and name.strip() and below and all(map(spells_number, below)):
            return False
        if name.strip() and below.count(name) >= 3:
            return False
    return True


def spells_number(cell: str) -> bool:
    """Whether a cell spells a number, with a decimal point or a decimal comma, or nothing.

    >>> [spells_number(cell) for cell in ("3.14", "3,14", "1e6", "", "3 apples")]
    [True, True, True, True, False]
    """
    try:
        float(cell.replace(",", ".", 1) or "0")
    except ValueError:
        return not cell.strip()
    return True


def _row(names: Sequence[str], cells: Sequence[str]) -> Row:
    return dict(zip(names, cells, strict=True))


def _fitted(cells: list[str], width: int) -> list[str] | None:
    """A row of `width` cells: without the empty ones that spreadsheets put behind; None where others are too many or few."""
    if len(cells) > width and not any(cells[width:]):
        return cells[:width]
    return cells if len(cells) == width else None


def _cells(line: str, found: Found) -> list[str] | None:
    """The cells of a row that is all of one line; None where it isn't."""
    rows = list(_Parser("", found, lambda error: None).rows([(1, line)]))
    return rows[0][1] if rows else None


class _Parser:
    """Lines to rows of cells."""

    def __init__(self, name: str, found: Found, on_bad: OnBad) -> None:
        self.name, self.found, self.on_bad = name, found, on_bad
        self.width = len(found.names)  # 0: any
        self.held: deque[tuple[int, str | None]] = deque()
        self.taken: list[tuple[int, str | None]] = []
        self.size = 0

    def rows(self, lines: Iterator[tuple[int, str | None]] | Collection[tuple[int, str]]) -> Iterator[tuple[int, list[str]]]:
        """Each row's first line and its cells."""
        self.lines = iter(lines)
        reader = csv.reader(self, delimiter=self.found.separator, strict=True)
        separator, quoted = self.found.separator, self.found.quoted
        while True:
            self.taken.clear()
            self.size = 0
            line = self._next()
            if line is None:
                return
            number, text = line
            if text is None:  # `on_bad` has heard of it
                continue
            if not quoted or '"' not in text:
                cells = text.rstrip("\r\n").split(separator)
                if cells == [""]:
                    continue
            else:
                self.taken.clear()
                self.held.appendleft(line)
                try:
                    cells = next(reader)
                except csv.Error as error:
                    self._give_back()
                    what = f"a quote that opens in this row isn't closed as it should be ({error})"
                    fix = f'write "" for a quote inside quotes, or say that cells are plain: {option("quote", "none")}'
                    self.on_bad(DataError(what, where=f"{self.name}:{number}", fix=fix))
                    continue
                if any(text is None for _, text in self.taken):  # a line inside it, of which `on_bad` has heard
                    continue
                if self._has_swallowed_rows():
                    self._give_back()
                    swallowed = len(self.taken) - 1
                    what = f"a quote that opens in this row isn't closed in it: {swallowed} more would be in its cell"
                    self.on_bad(DataError(what, where=f"{self.name}:{number}", fix="close it, or double it"))
                    continue
            if self.width and len(cells) != self.width:
                fitted = _fitted(cells, self.width)
                if fitted is None:
                    self._give_back()
                    header = "the header has" if self.found.header else "other rows have"
                    what = f"ragged row: {len(cells)} field{'s' if len(cells) > 1 else ''} where {header} {self.width}"
                    self.on_bad(DataError(what, where=f"{self.name}:{number}", fix="quote separators inside a field"))
                    continue
                cells = fitted
            yield number, cells

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """What the parser of quoted rows asks for: the next line."""
        line = self._next()
        if line is None:
            raise StopIteration
        self.size += len(line[1] or "")
        if self.size > MOST_ROW:
            raise csv.Error(f"more than {MOST_ROW:,} characters follow it")
        return "\n" if line[1] is None else line[1]

    def _next(self) -> tuple[int, str | None] | None:
        line = self.held.popleft() if self.held else next(self.lines, None)
        if line is not None:
            self.taken.append(line)
        return line

    def _give_back(self) -> None:
        """The lines after the first of a row that can't be read: each may begin a row that can."""
        self.held.extendleft(reversed(self.taken[1:]))

    def _has_swallowed_rows(self) -> bool:
        """Whether the lines inside a row look like rows themselves, so that its quote was likely left open."""
        inner = self.taken[1:-1]
        if len(inner) < SWALLOWED or self.width < 2 or not (self.width > 2 or any(self.found.numeric)):
            return False
        for _, text in inner:
            cells = (text or "").rstrip("\r\n").split(self.found.separator)
            if len(cells) != self.width:
                return False
            if not all(spells_number(cell) for cell, number in zip(cells, self.found.numeric, strict=True) if number):
                return False
        return True
