"""Which field of a row is the record: `--field`, else `text`, else the only one that holds strings.

In: rows as dictionaries. Out: the strings of one row (several where a path reaches into a list: `turns[].text`), and
the group that they belong to. Knows nothing of files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from maskwright.errors import DataError, nearest


class Picker:
    """Fixed by the first rows, then applied to all."""

    def __init__(self, name: str, first: Sequence[dict[str, Any]], field: str | None, group: str | None) -> None:
        columns = list(dict.fromkeys(column for row in first for column in row))
        self.path = _parse(field or _guess(name, columns, first), columns)
        self.group = _parse(group, columns) if group else None
        for option, path in (("--field", self.path), ("--group", self.group)):
            if path and path[0][0] not in columns:
                listed = ", ".join(columns)
                raise DataError(
                    f"{name}: no column {path[0][0]!r} for {option}{nearest(path[0][0], columns)}; it has: {listed}"
                )

    def pick(self, row: dict[str, Any], where: str) -> tuple[list[str], str]:
        values = _reach(row, self.path, where)
        for value in values:
            if not isinstance(value, str):
                name = _spell(self.path)
                what = "is missing" if value is None else f"holds {type(value).__name__}, not text"
                raise DataError(f"{where}: field {name!r} {what}; mend it, name another with --field, or --on-bad skip")
            if not _is_unicode(value):
                raise DataError(f"{where}: holds half a surrogate pair, which is no character; mend it, or --on-bad skip")
        named = _reach(row, self.group, where) if self.group else []
        if named and named[0] is not None:
            return values, str(named[0])
        # What stands in one row belongs together, wherever the row stands.
        return values, "\0".join(values) if len(values) > 1 else ""


def _guess(name: str, columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    if "text" in columns:
        return "text"
    texts = [c for c in columns if any(isinstance(row.get(c), str) and not _is_number(row[c]) for row in rows)]
    if len(texts) == 1:
        return texts[0]
    why = "no column holds text" if not texts else f"several columns hold text ({', '.join(texts)})"
    raise DataError(f"{name}: {why}; name one with --field. Its columns: {', '.join(columns)}")


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_number(value: str) -> bool:
    """Cells of a csv are all strings; those that spell numbers, or nothing, are no text."""
    try:
        float(value or "0")
    except ValueError:
        return False
    return True


def _parse(path: str, columns: Sequence[str]) -> list[tuple[str, bool]]:
    """'turns[].text' -> [("turns", True), ("text", False)]: a name, and whether its value is a list to walk.

    A column whose own name has a dot is taken as it is.
    """
    if path in columns:
        return [(path, False)]
    return [(part.removesuffix("[]"), part.endswith("[]")) for part in path.split(".")]


def _spell(path: list[tuple[str, bool]]) -> str:
    return ".".join(name + ("[]" if many else "") for name, many in path)


def _reach(value: Any, path: list[tuple[str, bool]], where: str) -> list[Any]:
    values = [value]
    for name, many in path:
        reached: list[Any] = []
        for item in values:
            if not isinstance(item, dict):
                raise DataError(f"{where}: {_spell(path)!r} doesn't reach: {name!r} is asked of {type(item).__name__}")
            inner = item.get(name)
            if many and inner is not None and not isinstance(inner, list):
                raise DataError(f"{where}: {name!r} is marked [] in {_spell(path)!r} but holds {type(inner).__name__}")
            reached += (inner or []) if many else [inner]
        values = reached
    return values
