"""Single lines from places all over a file.

In: a path. Out: some lines, evenly spread where the file can be sought, else from its first 64 MB. Knows no formats.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from maskwright.records.compressed import compression, opened
from maskwright.records.text_stream import UTF8, Guard, TextStream, ignore, split_lines

READ = 1 << 26
"""Bytes of a compressed or recoded file that are read for it."""


def lines_of(path: Path, count: int, encoding: str | None = None) -> Iterator[tuple[int, str]]:
    """About `count` whole lines, each with the place it was taken from; those that can't be decoded are left out."""
    with Guard(str(path), ignore), opened(path) as stream:
        text = TextStream.of(str(path), stream, ignore, encoding)
        if compression(path) or text.encoding != UTF8:
            yield from _from_the_beginning(text, count)
            return
        size = path.stat().st_size
        for place in range(count):
            stream.seek(size * place // count)
            found = list(itertools.islice(split_lines(stream), 2))
            if len(found) == 2:  # the first is the rest of a line
                line = text.decoded(found[1], str(path), offset=1)
                if line is not None:
                    yield place, line


def _from_the_beginning(text: TextStream, count: int) -> Iterator[tuple[int, str]]:
    kept: list[tuple[int, str]] = []
    every = 1
    for number, offset, raw in text.lines():
        if number % every == 0:
            line = text.decoded(raw, text.name, offset)
            kept += [] if line is None else [(number, line)]
        if len(kept) == 2 * count:  # too dense: half of them, and half as many from here on
            kept, every = kept[1::2], 2 * every
        if offset > READ:
            break
    yield from kept
