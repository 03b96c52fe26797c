"""Bytes to text: strict UTF-8, with the place of whatever isn't.

In: a binary stream. Out: (text, line number or None) pieces by line, paragraph or whole file. A byte order mark is
dropped. Binary content and invalid UTF-8 are never guessed at: they are named, with count and first offset.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

import pyarrow as pa

from maskwright.errors import DataError, option

OnBad = Callable[[DataError], None]
"""hears of what can't be read, and raises where that ends the reading"""
GRAINS = ("line", "paragraph", "file")


def pieces(name: str, stream: Any, grain: str, on_bad: OnBad) -> Iterator[tuple[str, int | None]]:
    """The texts of a binary stream, and the line on which each begins: None for one that is all of the file."""
    if grain not in GRAINS:
        raise DataError(f"choose one of {', '.join(GRAINS)}", where=option("record", grain), option="record")
    if grain == "file":
        text = decoded(stream.read(), name, on_bad)
        if text is not None and text.strip():
            yield text, None
        return
    paragraph: list[str] = []
    begun = 0
    offset = 0
    for number, raw in enumerate(stream, 1):
        line = decoded(raw, f"{name}:{number}", on_bad, offset, mark=number == 1)
        offset += len(raw)
        if line is None:
            continue
        if grain == "line":
            line = line.rstrip("\r\n")
            if line.strip():
                yield line, number
        elif line.strip():
            begun = begun if paragraph else number
            paragraph.append(line)
        elif paragraph:
            yield "".join(paragraph).rstrip("\r\n"), begun
            paragraph = []
    if paragraph:
        yield "".join(paragraph).rstrip("\r\n"), begun


def decoded(raw: bytes, name: str, on_bad: OnBad, offset: int = 0, mark: bool = True) -> str | None:
    """The text of `raw`, or None after `on_bad` was told why it isn't text. `offset`: of raw in its file."""
    raw = bytes(raw)
    skipped = 3 if mark and raw.startswith(b"\xef\xbb\xbf") else 0
    nulls = raw.count(0)
    if nulls:
        first = offset + raw.index(0)
        on_bad(
            DataError(f"binary, not text: {nulls} NUL bytes, the first at offset {first}", where=name, fix="leave it out")
        )
        return None
    try:
        return raw[skipped:].decode("utf-8")
    except UnicodeDecodeError as error:
        at = offset + skipped + error.start
        wrong = len(raw[skipped:].decode("utf-8", errors="replace").split("�")) - 1
        byte = raw[skipped + error.start]
        what = f"invalid UTF-8 in {wrong} places, the first at offset {at} (byte 0x{byte:02x})"
        on_bad(DataError(what, where=name, fix="convert it"))
        return None


class Guard:
    """A context in which whatever a damaged file raises while it is read becomes one error that names it."""

    def __init__(self, name: str, on_bad: OnBad, words: str = "can't be read") -> None:
        self.name, self.on_bad, self.words = name, on_bad, words

    def __enter__(self) -> Guard:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        if isinstance(error, (pa.ArrowException, OSError, EOFError, zlib.error)) and not isinstance(error, BrokenPipeError):
            said = getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
            self.on_bad(DataError(f"{self.words}: {said}", where=self.name))
            return True
        return False
