"""Rows of tables of text: cells between separators, some of them in quotes, with a line of names or without.

In: a path, and what the user has said of its layout; the first lines tell the rest. Out: a `Table` of strings. A row that
can't be read costs itself alone, and is named by the line on which it begins: a quote that is never closed, or closed rows
later, doesn't take those rows along.
"""

from __future__ import annotations

import csv
import itertools
from collections import Counter, deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import pyarrow as pa

from maskwright.errors import DataError, option
from maskwright.records.compressed import opened
from maskwright.records.scattered import lines_of
from maskwright.records.table import FIRST_ROWS, PLACES, Layout, Row, Rows, Table, path_name
from maskwright.records.text_stream import UTF8, Guard, OnBad, TextStream, ignore, stop

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
NO_SEPARATOR = "\x1f"
"""Separates nothing: it is the unit separator of ASCII, which stands in no table of one column."""
MOST_ROW = 1 << 26
"""Characters of a row, above which a quote is taken for one that is never closed."""
HEAD_CHARACTERS, HEAD_LINES = 1 << 20, 2000
"""What the layout is told by, at most."""
NAME_WORDS = 8
"""Words that the name of a column has, at most: a longer cell in the first row is no name."""
ALIKE = 0.7
"""Share of the first rows that must have as many cells as most have, for quotes to be believed in a table with tabs."""
USUAL_NAMES = {"text", "id", "label", "title", "body", "name", "date", "sentence", "message", "content", "comment"}
"""Names that settle that a row has names."""
SWALLOWED = 4
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
    skipped: int = 0
    """Number of lines before the header or the first row: blank ones, comments, what Excel says of its separator."""
    escaped: bool = False
    """Whether a quote inside quotes has a backslash before it, rather than another quote."""
    padded: bool = False
    """Whether a space follows each separator, and belongs to no cell."""

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
        self.name = path_name(path)
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
            lines = itertools.islice(text.texts(), found.skipped, None)
            again = found.header and len(found.names) > 1  # files that were joined have their header once more
            for index, (line, cells) in enumerate(_Parser(self.name, found, on_bad).rows(lines)):
                if (index or not found.header) and not (again and tuple(cells) == found.names):
                    yield {name: cells[i] for i, name in chosen}, "", str(line)

    def _settled(self) -> Found:
        if self._found is None:
            lines: list[str] = []
            with Guard(self.name, stop), opened(self.path) as stream:
                text = TextStream.of(self.name, stream, ignore, self.said.encoding)
                size, cut = 0, False
                for _, line in text.texts():
                    lines.append(line or "\n")
                    size += len(lines[-1])
                    cut = size > HEAD_CHARACTERS or len(lines) >= HEAD_LINES
                    if cut:
                        break
                encoding = text.encoding
            self._found, self._first = settle(lines, cut, encoding, self.usual, self.said, self.field)
        return self._found


def settle(
    lines: Sequence[str], cut: bool, encoding: str, usual: str, said: Layout, field: str | None
) -> tuple[Found, list[Row]]:
    """The layout of a table that begins with these lines, and its first rows; `cut`: it goes on behind them."""
    skipped, excel = _before(lines)
    lines = lines[skipped:]
    separator = said.character or excel or _separator(lines, usual)
    quoted, escaped = _quoting(lines, cut, separator) if said.quote is None else (said.quote != "none", False)
    padded = quoted and _is_padded(lines, separator)
    bare = Found(separator, False, quoted, encoding, (), (), skipped, escaped, padded)
    rows = _head_rows(lines, cut, bare)
    if not rows:
        return bare, []
    header = said.header if said.header is not None else has_header(rows, field)
    width = len(rows[0])
    while header and width > 1 and not rows[0][width - 1] and not any(any(cells[width - 1 :]) for cells in rows):
        width -= 1  # separators behind the last name
    if not header:  # the commonest width: the first row may be a ragged one
        width = Counter(map(len, rows)).most_common(1)[0][0]
    names = tuple(rows[0][:width]) if header else tuple(str(number) for number in range(1, width + 1))
    body = [cells for cells in (_fitted(c, width) for c in rows[1 if header else 0 :]) if cells is not None]
    numeric = tuple(bool(body) and all(spells_number(cells[i]) for cells in body) for i in range(width))
    found = replace(bare, header=header, names=names, numeric=numeric)
    return found, [_row(found.labels, cells) for cells in body[:FIRST_ROWS]]


def _before(lines: Sequence[str]) -> tuple[int, str]:
    """How many lines come before the table (blank ones, comments, Excel's "sep=;"), and the separator that one of them
    names."""
    excel = ""
    for number, line in enumerate(lines):
        said = line.strip()
        if said.lower().startswith("sep=") and len(said) <= 5:
            excel = said[4:] or "\t"
        elif said and not _is_comment(line, lines[number + 1 :]):
            return number, excel
    return len(lines), excel


def _is_comment(line: str, rest: Sequence[str]) -> bool:
    """Whether a line that begins with "#" is none of the table's: others don't, and it isn't cut as the next one is."""
    after = next((other for other in rest if other.strip() and not other.startswith("#")), None)
    if not line.startswith("#") or after is None:
        return False
    return all(line.count(mark) != after.count(mark) or not line.count(mark) for mark in SEPARATORS)


def _head_rows(lines: Sequence[str], cut: bool, found: Found, on_bad: OnBad | None = None) -> list[list[str]]:
    parser = _Parser("", found, on_bad or ignore, cut)
    return [cells for _, cells in parser.rows(enumerate(lines, 1))]


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


def _quoting(lines: Sequence[str], cut: bool, separator: str) -> tuple[bool, bool]:
    """Whether quotes stand around cells here, rather than in them; and whether a quote in a cell has a backslash before it.

    Tables with tabs are plain as a rule: there a quoted cell must hold what needs quotes, or all cells of a column must be
    quoted. Elsewhere they are plain where most rows with a quote can't be read otherwise.
    """
    begin = [line for line in lines if line.startswith('"') or f'{separator}"' in line]
    if not begin:
        return separator != "\t", False
    bare = Found(separator, False, True, UTF8, (), ())
    wrong: list[DataError] = []
    parser = _Parser("", bare, wrong.append, cut)
    rows = [cells for _, cells in parser.rows(enumerate(lines, 1))]
    if wrong and any('\\"' in line for line in lines):
        still: list[DataError] = []
        _head_rows(lines, cut, replace(bare, escaped=True), still.append)
        if len(still) < len(wrong) / 2:
            return True, True
    if separator != "\t":
        return len(wrong) <= max(len(begin) / 2, 1), False
    plain = [line.rstrip("\r\n").split(separator) for line in lines if line.strip()]
    needed = any(any(mark in cell for mark in '\t\r\n"') for cells in rows for cell in cells) or parser.is_in_a_cell()
    column = any(
        all(cell[:1] == cell[-1:] == '"' and len(cell) > 1 for cell in cells) for cells in zip(*plain, strict=False)
    )
    widths = Counter(map(len, rows)).most_common(1)
    even = bool(widths) and widths[0][1] >= ALIKE * len(rows)
    return not wrong and (column or (needed and (even or not rows))), False


def _is_padded(lines: Sequence[str], separator: str) -> bool:
    """Whether a space stands behind each separator, so that a quote behind it opens a cell."""
    if separator in (" ", NO_SEPARATOR):
        return False
    opening = [line for line in lines if f'{separator} "' in line]
    return bool(opening) and all(f"{separator} " in line for line in lines if separator in line)


def has_header(rows: Sequence[Sequence[str]], field: str | None) -> bool:
    """Whether the first row has names.

    Names are short, don't come again and again below, and don't spell numbers like those below them. One of the names that
    most tables have settles it. Of one column, a word above sentences is a name.
    """
    first, body = rows[0], rows[1:]
    if (field and field in first) or any(name.strip().lower() in USUAL_NAMES for name in first):
        return True
    if any(_words(cell) > NAME_WORDS and not cell.rstrip().endswith(("?", ":")) for cell in first):
        return False
    if len(first) == 1 and body:
        return _words(first[0]) < 2 and sum(_words(cells[0]) >= 2 for cells in body if cells) > len(body) / 2
    below = [[cells[i] for cells in body if i < len(cells) and cells[i].strip()] for i in range(len(first))]
    if any(name.strip() and cells.count(name) >= 3 for name, cells in zip(first, below, strict=True)):
        return False
    numbers = [(name, cells) for name, cells in zip(first, below, strict=True) if cells and all(map(spells_number, cells))]
    return not numbers or not all(_is_like(name, cells) for name, cells in numbers) or _counts_up(numbers)


def _words(cell: str) -> float:
    """Words of a cell; of scripts that set no spaces two characters count as one."""
    wide = sum("\u3040" <= c <= "\u9fff" or "\u0e00" <= c <= "\u0eff" for c in cell)
    return wide / 2 if wide > len(cell) / 2 else len(cell.split())


def _is_like(name: str, below: Sequence[str]) -> bool:
    """Whether a name spells a number as those below it do, near enough to be one of them."""
    if not (name.strip() and spells_number(name)):
        return False
    number, others = _number(name), [_number(cell) for cell in below]
    spread = max(max(others) - min(others), 1.0)
    return min(others) - spread <= number <= max(others) + spread


def _counts_up(numbers: Sequence[tuple[str, Sequence[str]]]) -> bool:
    """Whether several names are numbers in a row (years, or the places that some programs write for names)."""
    found = [_number(name) for name, _ in numbers]
    return len(found) > 1 and all(b - a == 1 for a, b in pairwise(found))


def _number(cell: str) -> float:
    return float(cell.replace(",", ".", 1))


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
    rows = list(_Parser("", found, ignore).rows([(1, line)]))
    return rows[0][1] if rows else None


class _Parser:
    """Lines to rows of cells."""

    def __init__(self, name: str, found: Found, on_bad: OnBad, cut: bool = False) -> None:
        """`cut`: the lines are the first of more, and a row that doesn't end among them is none of theirs."""
        self.name, self.found, self.on_bad, self.cut = name, found, on_bad, cut
        self.width = len(found.names)  # 0: any
        self.held: deque[tuple[int, str | None]] = deque()
        self.taken: list[tuple[int, str | None]] = []
        self.size = 0

    def rows(self, lines: Iterator[tuple[int, str | None]] | Collection[tuple[int, str]]) -> Iterator[tuple[int, list[str]]]:
        """Each row's first line and its cells."""
        self.lines = iter(lines)
        found = self.found
        reader = csv.reader(
            self, delimiter=found.separator, strict=True, skipinitialspace=found.padded,
            escapechar="\\" if found.escaped else None, doublequote=True,
        )  # fmt: skip
        separator, quoted, padded = found.separator, found.quoted, found.padded
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
                if padded:
                    cells = [cell.lstrip(" ") for cell in cells]
            else:
                self.taken.clear()
                self.held.appendleft(line)
                try:
                    cells = next(reader)
                except csv.Error as error:
                    if self.cut and self.ended:
                        return
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
        self.ended = line is None
        if line is not None:
            self.taken.append(line)
        return line

    def _give_back(self) -> None:
        """The lines after the first of a row that can't be read: each may begin a row that can."""
        self.held.extendleft(reversed(self.taken[1:]))

    def is_in_a_cell(self) -> bool:
        """Whether the lines ended inside a cell in quotes, most of whose lines don't look like rows."""
        inner = [text or "" for _, text in self.taken[1:]]
        first = (self.taken[0][1] or "").count(self.found.separator) if self.taken else 0
        return len(inner) > 1 and sum(text.count(self.found.separator) == first for text in inner) < len(inner) / 2

    def _has_swallowed_rows(self) -> bool:
        """Whether all lines of a row look like rows themselves, numbers above numbers, so that its quote was likely left
        open, and met that of another row."""
        if len(self.taken) < SWALLOWED or not any(self.found.numeric):
            return False
        for _, text in self.taken:
            cells = (text or "").rstrip("\r\n").split(self.found.separator)
            if len(cells) != self.width:
                return False
            if not all(spells_number(cell) for cell, number in zip(cells, self.found.numeric, strict=True) if number):
                return False
        return True
