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
from maskwright.records.field_path import parse, reach, spell
from maskwright.records.forms import Form
from maskwright.records.pictures import Note
from maskwright.records.utf8 import Report


class NoColumn(DataError):
    """A table that holds nothing of the form asked for."""

    def __init__(self, what: str, instead: str) -> None:
        super().__init__(f"{what}; {instead}")
        self.what = what


class Picker:
    """Fixed by the first rows, then applied to all."""

    def __init__(self, name: str, first: Sequence[dict[str, Any]], field: str | None, group: str | None, form: Form) -> None:
        self.form = form
        columns = list(dict.fromkeys(column for row in first for column in row))
        self.path = parse(field or _guess(name, columns, first, form), columns)
        self.group = parse(group, columns) if group else None
        for option, path in (("--field", self.path), ("--group", self.group)):
            if path and path[0][0] not in columns:
                listed = ", ".join(columns)
                raise DataError(
                    f"{name}: no column {path[0][0]!r} for {option}{nearest(path[0][0], columns)}; it has: {listed}"
                )

    def pick(self, row: dict[str, Any], where: str, note: Note, bad: Report) -> tuple[list[tuple[Any, str]], str]:
        """The row's values and where each stands, None where one is blank or `bad` has heard of it, and their group."""
        try:
            cells = reach(row, self.path, where)
            groups = reach(row, self.group, where) if self.group else []
        except DataError as error:
            bad(str(error))
            return [], ""
        places = [where] if len(cells) == 1 else [f"{where}[{number}]" for number in range(len(cells))]
        values = [self._value(cell, at, note, bad) for cell, at in zip(cells, places, strict=True)]
        named = [name for name in groups[:1] if name is not None]
        # What stands in one row belongs together, wherever the row stands.
        group = str(named[0]) if named else together(values) if len(values) > 1 else ""
        return list(zip(values, places, strict=True)), group

    def _value(self, cell: Any, where: str, note: Note, bad: Report) -> Any:
        try:
            return self.form.value(cell, where, spell(self.path), note)
        except DataError as error:
            bad(str(error))
            return None


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
        raise NoColumn(f"{name}: {which} {form.name}", listed)
    raise DataError(f"{name}: several columns hold {form.name} ({', '.join(own)}); {listed}")
