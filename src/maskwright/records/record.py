"""A record: one value (a document, a picture, a row), where it stands, and what tells it from others.

In: a value that is a string or knows its content as bytes. Out: identity by content: the same value has the same id in any
file. Knows no file formats and no kinds of value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Origin:
    """Where a record stands, as errors and results name it.

    >>> str(Origin("tickets.parquet", "row ", "7"))
    'tickets.parquet:row 7'
    """

    name: str
    """Where the record comes from: a file's path, "standard input", or "query[0]" for a value that Python gave."""
    place: str = ""
    """Word that says what `number` counts, such as "row "; empty where it counts lines."""
    number: str = ""
    """Number of the line or row, from 1, with the index within the row where that holds several ("12[0]"); empty: the record
    is all of `name`."""

    def __str__(self) -> str:
        return f"{self.name}:{self.place}{self.number}" if self.number else self.name

    def item(self, index: int) -> Origin:
        """One of several values of a row."""
        return replace(self, number=f"{self.number}[{index}]")

    def part(self, place: str) -> Origin:
        """A stretch of a value that was too large to be one record."""
        return Origin(f"{self}[{place}]")


@dataclass(frozen=True)
class Record:
    """One document, picture or row."""

    value: Any
    """Content of the record: a string, or another value that `bytes()` tells from others."""
    source: Origin
    group: str = ""
    """Name of the group: records of one group stay on one side of the held-out split. Empty: the record is a group of its
    own."""

    kept: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """Other cells of its row that were to be kept, by column."""

    @property
    def id(self) -> str:
        """Hash of the content, in 16 hexadecimal digits: the same record has the same id in any file."""
        return f"{self.key:016x}"

    @cached_property
    def key(self) -> int:
        """The same as an integer below 2^64: by it masks and draws are chosen."""
        return hashed(content(self.value))


def fold_key(record: Record, fold: bytes | None) -> int:
    """A hash that is equal for records of which one repeats another: of their `ValueType.fold`."""
    return record.key if fold is None else hashed(fold)


def content(value: Any) -> bytes:
    """What a value is, for hashes."""
    return value.encode() if isinstance(value, str) else bytes(value)


def hashed(data: bytes) -> int:
    """64 bits of BLAKE2b."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")
