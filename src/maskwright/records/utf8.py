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

from maskwright.errors import DataError

Report = Callable[[str], None]
GRAINS = ("line", "paragraph", "file")


def pieces(name: str, stream: Any, grain: str, bad: Report) -> Iterator[tuple[str, int | None]]:
    if grain not in GRAINS:
        raise DataError(f"--record {grain}: choose one of {', '.join(GRAINS)}")
    if grain == "file":
        text = decoded(stream.read(), name, bad)
        if text is not None and text.strip():
            yield text, None
        return
    paragraph: list[str] = []
    begun = 0
    offset = 0
    for number, raw in enumerate(stream, 1):
        line = decoded(raw, f"{name}:{number}", bad, offset, mark=number == 1)
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


def decoded(raw: bytes, name: str, bad: Report, offset: int = 0, mark: bool = True) -> str | None:
    """The text of `raw`, or None after `bad` was told why it isn't text. `offset`: of raw in its file."""
    raw = bytes(raw)
    skipped = 3 if mark and raw.startswith(b"\xef\xbb\xbf") else 0
    nulls = raw.count(0)
    if nulls:
        first = offset + raw.index(0)
        bad(f"{name}: binary, not text: {nulls} NUL bytes, the first at offset {first}; leave it out")
        return None
    try:
        return raw[skipped:].decode("utf-8")
    except UnicodeDecodeError as error:
        at = offset + skipped + error.start
        wrong = len(raw[skipped:].decode("utf-8", errors="replace").split("�")) - 1
        bad(
            f"{name}: invalid UTF-8 in {wrong} places, the first at offset {at}"
            f" (byte 0x{raw[skipped + error.start]:02x}); convert it"
        )
        return None


class Guard:
    """Turns what a damaged file raises while it is read into one line that names it."""

    def __init__(self, name: str, bad: Report, words: str = "can't be read") -> None:
        self.name, self.bad, self.words = name, bad, words

    def __enter__(self) -> Guard:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        if isinstance(error, (pa.ArrowException, OSError, EOFError, zlib.error)) and not isinstance(error, BrokenPipeError):
            said = getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
            self.bad(f"{self.name}: {self.words}: {said}")
            return True
        return False
