"""Rows of JSON: one object a line, a list of objects or of texts, or one object that holds such a list.

In: a path. Out: a `Table`. A line or an element that can't be read costs itself, where the next one can be told from it.
"""

from __future__ import annotations

import codecs
import itertools
import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from maskwright.errors import DataError
from maskwright.records.compressed import opened
from maskwright.records.scattered import READ, lines_of
from maskwright.records.table import FIRST_ROWS, PLACES, Layout, Row, Rows, Table, path_name
from maskwright.records.text_stream import BLOCK, Guard, OnBad, TextStream, ignore

TEXT = "text"
"""The column of a list whose elements are strings."""
LONGEST_ATOM = 10
"""Characters of the longest piece of JSON, but for strings, that may be cut at the end of a block ("false", "\\u12ab")."""
_BETWEEN = " \t\r\n"


class _Json(Table):
    """What tables of JSON have in common: rows alone tell their columns."""

    def __init__(self, path: Path, said: Layout) -> None:
        self.path, self.said, self.name = path, said, path_name(path)

    def columns(self) -> Sequence[str]:
        return ()

    def head(self) -> list[Row]:
        return [row for row, *_ in itertools.islice(self.rows(None, ignore), FIRST_ROWS)]


class JsonLines(_Json):
    """JSON Lines: an object a line."""

    def scattered(self) -> list[Row]:
        found = (_parsed(line, "", ignore) for _, line in lines_of(self.path, PLACES, self.said.encoding) if line.strip())
        return [row for row in found if row is not None]

    def rows(self, wanted: Collection[str] | None, on_bad: OnBad) -> Rows:
        with Guard(self.name, on_bad), opened(self.path) as stream:
            for number, text in TextStream.of(self.name, stream, on_bad, self.said.encoding).texts():
                if text is not None and text.strip():
                    row = _parsed(text, f"{self.name}:{number}", on_bad)
                    if row is not None:
                        yield row, "", str(number)


class JsonDocument(_Json):
    """A file that is one list, or one object: then the object is the only row, and a path goes into it."""

    def __init__(self, path: Path, said: Layout, is_list: bool) -> None:
        super().__init__(path, said)
        self.single = not is_list

    def scattered(self) -> list[Row]:
        """Every so manieth of those in the first `READ` characters or so."""
        kept: list[Row] = []
        every, size = 1, 0
        for number, (row, *_) in enumerate(self.rows(None, ignore)):
            if number % every == 0:
                kept.append(row)
                size += every * len(str(row))
            if len(kept) == 2 * PLACES:
                kept, every = kept[1::2], 2 * every
            if size > READ:
                break
        return kept

    def rows(self, wanted: Collection[str] | None, on_bad: OnBad) -> Rows:
        with Guard(self.name, on_bad), opened(self.path) as stream:
            text = TextStream.of(self.name, stream, on_bad, self.said.encoding)
            if self.single:
                whole = text.whole()
                row = None if whole is None else _parsed(whole, self.name, on_bad)
                if row is not None:
                    yield row, "row ", "1"
                return
            for number, element in enumerate(_elements(text), 1):
                if isinstance(element, str):
                    yield {TEXT: element}, "row ", str(number)
                elif isinstance(element, dict):
                    yield element, "row ", str(number)
                else:
                    what = f"expected a JSON object or a string, got {type(element).__name__}"
                    on_bad(DataError(what, where=f"{self.name}:row {number}", fix="leave it out"))


def shape_of(path: Path, said: Layout) -> str:
    """What a file of JSON holds: "lines", "list" or "object"; "" where it doesn't begin like any."""
    with Guard(str(path), ignore), opened(path) as stream:
        texts = TextStream.of(str(path), stream, ignore, said.encoding).texts()
        lines = (line.strip() for _, line in texts if line and line.strip())
        first = next(lines, "")
        if first.startswith("["):
            return "list"
        if first.startswith("{"):
            return "object" if _parsed(first, "", ignore) is None or next(lines, None) is None else "lines"
    return ""


def looks_like_rows(line: str) -> bool:
    """Whether a line of a text file is likely markup of a table rather than text."""
    return line.startswith("{") and _parsed(line, "", ignore) is not None


def _parsed(text: str, where: str, on_bad: OnBad) -> Row | None:
    """The object that a text spells, or None after `on_bad` was told why it doesn't."""
    try:
        row = _loads(text)
    except json.JSONDecodeError as error:
        line = f" of line {error.lineno}" if error.lineno > 1 else ""
        on_bad(DataError(f"not JSON: {error.msg} at column {error.colno}{line}", where=where, fix="mend the line"))
        return None
    except RecursionError:
        on_bad(DataError("not readable JSON: lists or objects are nested too deeply", where=where, fix="leave it out"))
        return None
    if not isinstance(row, dict):
        on_bad(DataError(f"expected a JSON object, got {type(row).__name__}", where=where))
        return None
    return row


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # a number that is too long
        return json.loads(text, parse_int=_integer)


def _elements(text: TextStream) -> Iterator[Any]:
    """The elements of a list, read a block at a time. Where it breaks `on_bad` is told: nothing tells where the next is."""
    blocks = _decoded(text)
    buffer = next(blocks, "")
    at, ended, number, parted = buffer.find("[") + 1, False, 0, True
    while True:
        at = _skipped(buffer, at)
        if buffer[at : at + 1] == "," and not parted:
            at, parted = _skipped(buffer, at + 1), True
        try:
            if buffer[at : at + 1] == "]":
                if buffer[at + 1 :].strip() or any(block.strip() for block in blocks):
                    what = "not JSON: something follows the end of the list"
                    text.on_bad(DataError(what, where=text.name, fix="keep one list, or an object a line in a .jsonl"))
                return
            if at < len(buffer) and not parted:
                raise json.JSONDecodeError("Expecting ',' delimiter", buffer[: at + LONGEST_ATOM * 2], at)
            element, end = _DECODER.raw_decode(buffer, at)
            if end == len(buffer) and not ended:  # a number may go on
                raise json.JSONDecodeError("more is needed", buffer, end)
        except json.JSONDecodeError as error:
            if ended or not _may_go_on(error, buffer):
                what = f"not JSON: {error.msg} in element {number + 1} of the list"
                text.on_bad(DataError(what, where=text.name, fix="mend it: what follows can't be told from it"))
                return
            parts = [buffer[at:]]
            size = need = len(parts[0])
            while not ended and size <= 2 * need:  # doubled, so that long elements take linear time
                block = next(blocks, None)
                ended = block is None
                parts.append(block or "")
                size += len(parts[-1])
            buffer, at = "".join(parts), 0
            continue
        except RecursionError:
            what = f"not readable JSON: element {number + 1} of the list is nested too deeply"
            text.on_bad(DataError(what, where=text.name, fix="leave it out: what follows can't be told from it"))
            return
        number, at, parted = number + 1, end, False
        yield element


def _may_go_on(error: json.JSONDecodeError, buffer: str) -> bool:
    """Whether the text ended too early, rather than wrongly."""
    return error.msg.startswith("Unterminated string") or error.pos >= len(buffer) - LONGEST_ATOM


def _skipped(buffer: str, at: int) -> int:
    while at < len(buffer) and buffer[at] in _BETWEEN:
        at += 1
    return at


def _decoded(text: TextStream) -> Iterator[str]:
    """A stream in blocks of text; `on_bad` hears where it isn't any."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        while block := text.stream.read(BLOCK):
            yield decoder.decode(block)
    except UnicodeDecodeError:
        text.on_bad(DataError(f"invalid {text.encoding}", where=text.name, fix="convert it"))


def _integer(digits: str) -> int | str:
    """A number with more digits than Python turns into an integer stays as it is spelled."""
    try:
        return int(digits)
    except ValueError:
        return digits


_DECODER = json.JSONDecoder(parse_int=_integer)
