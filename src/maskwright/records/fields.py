"""Which field of a row is the record: the one that is asked for, else the one named for its kind of value (`text`, `image`),
else the only one that holds it.

In: rows as dictionaries. Out: the values of one row (several where a path reaches into a list: `turns[].text`), and the
group that they belong to. Knows nothing of files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from maskwright.errors import DataError, nearest, option
from maskwright.records.field_path import parse, reach, spell
from maskwright.records.notices import Listener
from maskwright.records.record import Origin, content
from maskwright.records.utf8 import OnBad
from maskwright.records.value_type import ValueType


class NoColumn(DataError):
    """A table that holds nothing of the kind of value asked for."""


class FieldPicker:
    """Picks values and groups out of rows: which fields, is fixed by the first rows, then applied to all."""

    def __init__(
        self, name: str, first: Sequence[dict[str, Any]], field: str | None, group: str | None, value_type: ValueType
    ) -> None:
        """`name` is the table's, `first` its first rows; raises DataError where no column fits, or several do."""
        self.value_type = value_type
        columns = list(dict.fromkeys(column for row in first for column in row))
        self.path = parse(field or _guess(name, columns, first, value_type), columns)
        self.group = parse(group, columns) if group else None
        for parameter, path in (("field", self.path), ("group", self.group)):
            if path and path[0][0] not in columns:
                near = nearest(path[0][0], columns)
                raise DataError(
                    f"no column {path[0][0]!r} for {option(parameter)}{near}", where=name,
                    fix=f"it has: {', '.join(columns)}", option=parameter,
                )  # fmt: skip

    def pick(
        self, row: dict[str, Any], origin: Origin, notice: Listener, on_bad: OnBad
    ) -> tuple[list[tuple[Any, Origin]], str]:
        """The row's values and where each stands, and their group. A value is None where a cell is blank, or where
        `on_bad` has heard of it."""
        try:
            cells = reach(row, self.path, str(origin))
            groups = reach(row, self.group, str(origin)) if self.group else []
        except DataError as error:
            on_bad(error)
            return [], ""
        places = [origin] if len(cells) == 1 else [origin.item(number) for number in range(len(cells))]
        values = [self._value(cell, str(place), notice, on_bad) for cell, place in zip(cells, places, strict=True)]
        named = [name for name in groups[:1] if name is not None]
        # What stands in one row belongs together, wherever the row stands.
        group = str(named[0]) if named else together(values) if len(values) > 1 else ""
        return list(zip(values, places, strict=True)), group

    def _value(self, cell: Any, where: str, notice: Listener, on_bad: OnBad) -> Any:
        try:
            return self.value_type.of_cell(cell, where, spell(self.path), notice)
        except DataError as error:
            on_bad(error)
            return None


def together(values: Sequence[Any]) -> str:
    """A name for the group of what stands in one row."""
    digest = hashlib.blake2b(digest_size=16)
    for value in values:
        digest.update(b"\0" + content(value) if value is not None else b"\0")
    return digest.hexdigest()


def _guess(name: str, columns: Sequence[str], rows: Sequence[dict[str, Any]], value_type: ValueType) -> str:
    own = [c for c in columns if any(value_type.is_likely(row.get(c)) for row in rows)]
    usual = value_type.column if value_type.column in columns else ""
    if usual and (usual in own or any(row.get(usual) is None for row in rows)):
        return usual
    if len(own) == 1 and not usual:
        return own[0]
    fix = f"name one with {option('field')}. Its columns: {', '.join(columns)}"
    if not own or usual:
        which = f"column {usual!r} holds no" if usual else "no column holds"
        raise NoColumn(f"{which} {value_type.name}", where=name, fix=fix, option="field")
    raise DataError(f"several columns hold {value_type.name} ({', '.join(own)})", where=name, fix=fix, option="field")
