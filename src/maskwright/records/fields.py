"""Which field of a row is the record: `--field`, else `text`, else the only one that holds strings.

In: rows as dictionaries. Out: the strings of one row (several where a path reaches into a list: `turns[].text`), and
the group that they belong to. Knows nothing of files.
"""

from __future__ import annotations

from typing import Any

from maskwright.errors import DataError, nearest


class Picker:
    """Fixed by the first row, then applied to all."""

    def __init__(self, name: str, first: dict[str, Any], field: str | None, group: str | None) -> None:
        columns = list(first)
        self.path = _parse(field) if field else _parse(_guess(name, first))
        self.group = _parse(group) if group else None
        for option, path in (("--field", self.path), ("--group", self.group)):
            if path and path[0][0] not in first:
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
        group = where
        if self.group:
            group = str(_reach(row, self.group, where)[0])
        return values, group


def _guess(name: str, row: dict[str, Any]) -> str:
    if isinstance(row.get("text"), str):
        return "text"
    strings = [column for column, value in row.items() if isinstance(value, str) and not _is_number(value)]
    if len(strings) == 1:
        return strings[0]
    listed = ", ".join(row)
    why = "no column holds text" if not strings else f"several columns hold text ({', '.join(strings)})"
    raise DataError(f"{name}: {why}; name one with --field. Its columns: {listed}")


def _is_number(value: str) -> bool:
    """Cells of a csv are all strings; those that spell numbers, or nothing, are no text."""
    try:
        float(value or "0")
    except ValueError:
        return False
    return True


def _parse(path: str) -> list[tuple[str, bool]]:
    """'turns[].text' -> [("turns", True), ("text", False)]: a name, and whether its value is a list to walk."""
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
