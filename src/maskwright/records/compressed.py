"""Files as streams of bytes, those that are compressed (.gz, .zst) opened on the fly.

In: a path. Out: a buffered binary stream. Knows nothing of what is in it.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pyarrow as pa

_COMPRESSED = {".gz": "gzip", ".zst": "zstd"}


def compression(path: Path) -> str | None:
    return _COMPRESSED.get(path.suffix.lower())


def inner_suffix(path: Path) -> str:
    """The ending of a file's name in lower case, that of a compression left aside."""
    return Path(path.stem).suffix.lower() if compression(path) else path.suffix.lower()


def opened(path: Path) -> Any:
    """A buffered binary stream of the file's content, decompressed."""
    kind = compression(path)
    if kind:
        return io.BufferedReader(_Raw(pa.input_stream(open(path, "rb"), compression=kind)), 1 << 20)
    return open(path, "rb", buffering=1 << 20)


class _Raw(io.RawIOBase):
    """Arrow's decompressing stream behind the standard interface, for line iteration."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
