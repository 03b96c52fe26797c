"""Which field of a row is the record: `--field`, else the one named for the form (`text`, `image`), else the only one that
holds it.

In: rows as dictionaries. Out: the values of one row (several where a path reaches into a list: `turns[].text`), and
the group that they belong to. Knows nothing of files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from maskwright.errors import DataError, nearest
from maskwright.records.forms import Form
from maskwright.records.pictures import Note


class NoColumn(DataError):
    """A table that holds nothing of the form asked for."""


class Picker:
    """Fixed by the first rows, then applied to all."""

    def __init__(self, name: str, first: Sequence[dict[str, Any]], field: str | None, group: str | None, form: Form) -> None:
        self.form = form
        columns = list(dict.fromkeys(column for row in first for column in row))
        self.path = _parse(field or _guess(name, columns, first, form), columns)
        self.group = _parse(group, columns) if group else None
        for option, path in (("--field", self.path), ("--group", self.group)):
            if path and path[0][0] not in columns:
                listed = ", ".join(columns)
                raise DataError(
                    f"{name}: no column {path[0][0]!r} for {option}{nearest(path[0][0], columns)}; it has: {listed}"
                )

    def pick(self, row: dict[str, Any], where: str, note: Note) -> tuple[list[Any], str]:
        """The row's values, None where one is blank, and their group."""
        values = [self.form.value(cell, where, _spell(self.path), note) for cell in _reach(row, self.path, where)]
        named = _reach(row, self.group, where) if self.group else []
        if named and named[0] is not None:
            return values, str(named[0])
        # What stands in one row belongs together, wherever the row stands.
        return values, together(values) if len(values) > 1 else ""


def together(values: Sequence[Any]) -> str:
    """A name for what stands in one row."""
    digest = hashlib.blake2b(digest_size=16)
    for value in values:
        digest.update(b"\0" + content(value) if value is not None else b"\0")
    return digest.hexdigest()


def content(value: Any) -> bytes:
    """What a record's value is, for hashes."""
    return value.encode() if isinstance(value, str) else bytes(value)


def _guess(name: str, columns: Sequence[str], rows: Sequence[dict[str, Any]], form: Form) -> str:
    own = [c for c in columns if any(form.holds(row.get(c)) for row in rows)]
    if form.column in columns and (form.column in own or any(row.get(form.column) is None for row in rows)):
        return form.column
    if len(own) == 1 and form.column not in columns:
        return own[0]
    listed = f"name one with --field. Its columns: {', '.join(columns)}"
    if not own or form.column in columns:
        which = f"column {form.column!r} holds no" if form.column in columns else "no column holds"
        raise NoColumn(f"{name}: {which} {form.name}; {listed}")
    raise DataError(f"{name}: several columns hold {form.name} ({', '.join(own)}); {listed}")


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
