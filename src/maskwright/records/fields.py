"""Which field of a row is the record: the one that is asked for, else the one named for its kind of value (`text`, `image`),
else the only one that holds it.

In: a table, its rows as dictionaries. Out: the values of one row (several where a path reaches into a list:
`turns[].text`), and the group that they belong to. Knows nothing of files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from maskwright.errors import DataError, nearest, option
from maskwright.records.field_path import parse, reach, spell
from maskwright.records.notices import Listener
from maskwright.records.record import Origin, content
from maskwright.records.table import Row, Table
from maskwright.records.text_stream import OnBad
from maskwright.records.value_type import ValueType

MOST_LISTED = 30
"""Names of columns that a message lists."""


class NoColumn(DataError):
    """A table without the column that is asked for, or without any that holds values of the wanted kind."""


class FieldPicker:
    """Picks values and groups out of rows: which fields, is fixed by some rows, then applied to all."""

    def __init__(
        self,
        name: str,
        columns: Sequence[str],
        rows: Sequence[Row],
        field: str | None,
        group: str | None,
        value_type: ValueType,
    ) -> None:
        """`name` is the table's, `columns` are names that it lists itself, `rows` some of it. Raises DataError where no
        column fits, or several do."""
        self.value_type = value_type
        names = list(dict.fromkeys([*columns, *(column for row in rows for column in row)]))
        self.path = parse(field or _guess(name, names, rows, value_type), names)
        self.group = parse(group, names) if group else None
        self.spelled = spell(self.path)
        self.plain = self.path[0][0] if len(self.path) == 1 and not self.path[0][1] else None
        """The column, where it holds values itself: those of most tables do, and a short way saves half of the time."""
        self.wanted = {path[0][0] for path in (self.path, self.group) if path}
        """Columns that are needed of a row."""
        for parameter, path in (("field", self.path), ("group", self.group)):
            if path and path[0][0] not in names:
                near = nearest(path[0][0], names)
                raise NoColumn(
                    f"no column {path[0][0]!r} for {option(parameter)}{near}", where=name,
                    fix=f"it has: {_listed(names)}", option=parameter,
                )  # fmt: skip
            if path and list(columns).count(path[0][0]) > 1:
                what = f"two columns have one name, {path[0][0]!r}"
                raise DataError(what, where=name, fix=f"rename one; there are: {_listed(columns)}")

    @classmethod
    def of(cls, table: Table, field: str | None, group: str | None, value_type: ValueType) -> FieldPicker | None:
        """By the table's first rows, and where those don't have it, by rows from all over it. None: no row can be read."""
        columns = table.columns()
        known = bool(field) and {parse(name, columns)[0][0] for name in (field, group) if name} <= set(columns)
        head = [] if known else table.head()  # what is named is not looked for
        if not head and not (known or (columns and table.scattered())):
            return None  # whoever reads all of it will say what is wrong
        inside = _inner(head, value_type) if table.single and not field else []
        if inside:
            fix = f"name a list in it with {option('field')}: {_listed(inside)}"
            raise DataError("is one JSON object", where=table.name, fix=fix, option="field")
        try:
            return cls(table.name, columns, head, field, group, value_type)
        except NoColumn:
            more = table.scattered()
            if not more:
                raise
            return cls(table.name, columns, [*head, *more], field, group, value_type)

    def pick(self, row: Row, origin: Origin, notice: Listener, on_bad: OnBad) -> tuple[list[tuple[Any, Origin]], str]:
        """The row's values and where each stands, and their group. A value is None where a cell is blank, or where
        `on_bad` has heard of it."""
        if self.plain is not None and self.group is None:
            return [(self._value(row.get(self.plain), str(origin), notice, on_bad), origin)], ""
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
        if not group.isascii() and not _is_text(group):
            on_bad(DataError(f"group {group!r} holds half a surrogate pair", where=str(origin), fix="mend it"))
            return [], ""
        return list(zip(values, places, strict=True)), group

    def _value(self, cell: Any, where: str, notice: Listener, on_bad: OnBad) -> Any:
        try:
            return self.value_type.of_cell(cell, where, self.spelled, notice)
        except DataError as error:
            on_bad(error)
            return None


def _is_text(group: str) -> bool:
    try:
        group.encode()
    except UnicodeEncodeError:
        return False
    return True


def together(values: Sequence[Any]) -> str:
    """A name for the group of what stands in one row."""
    digest = hashlib.blake2b(digest_size=16)
    for value in values:
        digest.update(b"\0" + content(value) if value is not None else b"\0")
    return digest.hexdigest()


def _guess(name: str, columns: Sequence[str], rows: Sequence[Row], value_type: ValueType) -> str:
    own = [c for c in columns if any(value_type.is_likely(row.get(c)) for row in rows)]
    usual = value_type.column if value_type.column in columns else ""
    if usual and (usual in own or any(row.get(usual) is None for row in rows)):
        return usual
    if len(own) == 1 and not usual:
        return own[0]
    fix = f"name one with {option('field')}; there are: {_listed([*columns, *_inner(rows, value_type)])}"
    if not own or usual:
        which = f"column {usual!r} holds no" if usual else "no column holds"
        raise NoColumn(f"{which} {value_type.name}", where=name, fix=fix, option="field")
    raise DataError(f"several columns hold {value_type.name} ({', '.join(own)})", where=name, fix=fix, option="field")


def _listed(names: Sequence[str]) -> str:
    """Columns as a person can read them: one without a name is shown by its place."""
    shown = [name or f"(column {number} has no name)" for number, name in enumerate(names, 1)]
    return ", ".join(shown[:MOST_LISTED]) + (f" and {len(shown) - MOST_LISTED} more" if len(shown) > MOST_LISTED else "")


def _inner(rows: Sequence[Row], value_type: ValueType) -> list[str]:
    """Paths into lists of objects that lead to likely values."""
    found: dict[str, None] = {}
    for row in rows:
        for name, cell in row.items():
            for item in cell[:1] if isinstance(cell, list) else ():
                if isinstance(item, dict):
                    found |= dict.fromkeys(f"{name}[].{key}" for key, inner in item.items() if value_type.is_likely(inner))
    return list(found)
