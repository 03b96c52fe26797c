"""Texts as values of records: which cells and files hold them, and how a person sees them.

In: strings, cells, files of text. Out: strings. Imports without torch; which tokeniser cuts them is not known here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from maskwright.errors import DataError, QueryError, option
from maskwright.modalities.base import Claim
from maskwright.records import text_stream
from maskwright.records.delimited import spells_number
from maskwright.records.notices import Listener, unheard
from maskwright.records.record import Origin
from maskwright.records.text_stream import OnBad
from maskwright.records.value_type import Display, ValueType

CLAIM = 0.5
"""How sure the claim on any data is: text is what data is taken for that nothing else claims more surely."""


class TextDisplay(Display):
    def facts(self, values: Iterable[str]) -> list[str]:
        sizes: list[int] = []
        first = ""
        for value in values:
            first = first or value
            sizes.append(len(value.encode()))
        sizes.sort()
        return [
            f"{sum(sizes) / 1e6:.2f} MB; bytes a record: median {sizes[len(sizes) // 2]:,},"
            f" 90% up to {sizes[-(-9 * len(sizes) // 10) - 1]:,}, largest {sizes[-1]:,}",
            f"first: {json.dumps(first if len(first) <= 80 else first[:77] + '...', ensure_ascii=False)}",
        ]

    def strip(self, value: str, filled: Sequence[str]) -> bytes:
        fix = f"texts are printed, or written with {option('out')}"
        raise QueryError(f"{option('show')} is for pictures", fix=fix, option="show")


class TextType(ValueType):
    name = column = "text"
    spelled_out = True
    display = TextDisplay()

    def of_python(self, given: Any, where: str, notice: Listener = unheard) -> str:
        if not isinstance(given, str):
            raise DataError(f"expected text, got {type(given).__name__}", where=where)
        return _whole(given, where, fix="")

    def of_cell(self, cell: Any, where: str, field: str, notice: Listener) -> str | None:
        if not isinstance(cell, str):
            what = "is missing" if cell is None else f"holds {type(cell).__name__}, not text"
            raise DataError(f"field {field!r} {what}", where=where, fix=f"mend it, name another with {option('field')}")
        return _whole(cell, where, fix="mend it") if cell.strip() else None

    def is_likely(self, cell: Any) -> bool:
        return isinstance(cell, str) and not spells_number(cell)

    def of_stream(
        self, where: str, stream: Any, grain: str | None, whole: bool, on_bad: OnBad, notice: Listener,
        encoding: str | None = None,
    ) -> Iterator[tuple[str, Origin]]:  # fmt: skip
        for text, line in text_stream.pieces(where, stream, grain or ("file" if whole else "line"), on_bad, encoding):
            yield text, Origin(where) if line is None else Origin(where, "", str(line))

    def fold(self, value: str) -> bytes:
        return " ".join(value.split()).encode()

    def memory(self, value: str) -> int:
        return len(value)

    def stretches(self, value: str, size: int) -> Iterator[tuple[str, str]]:
        begin = 0
        while begin < len(value):
            end = value.find("\n", begin + size) + 1 or len(value)
            if end - begin > 3 * size:
                end = begin + size
            yield value[begin:end], f"{begin}:{end}"
            begin = end

    def excerpt(self, value: str, size: int) -> str:
        return next((part for part, _ in self.stretches(value, size)), "")

    def mask(self, given: Any) -> Any:
        fix = "in a text write {mask} where something is to be filled in"
        raise QueryError("a mask is for pictures", fix=fix, option="mask")


TEXT = TextType()


def claim(paths: Sequence[str], values: Sequence[Any], field: str | None) -> Claim:
    """Whatever has no surer claim on it: any file may hold text."""
    texts = not values or any(isinstance(getattr(value, "value", value), str) for value in values)
    return Claim(CLAIM if texts else 0.0, "its records are strings")


def _whole(text: str, where: str, fix: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise DataError("holds half a surrogate pair, which is no character", where=where, fix=fix) from None
    return text
