"""Rows of the first sheet of a spreadsheet (.xlsx, .xls, .ods), read by `python-calamine`.

In: a path. Out: a `Table`; numbers and dates stay what they are. Which column matters is for `fields.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from maskwright.errors import DataError
from maskwright.records.delimited import has_header, labelled
from maskwright.records.table import FIRST_ROWS, Layout, Row, Rows, Table, path_name
from maskwright.records.text_stream import OnBad, ignore, said

SHOWN = 400
"""Rows by which is told whether the first one has names."""


class Spreadsheet(Table):
    """The first sheet that has rows."""

    def __init__(self, path: Path, said: Layout, field: str | None = None) -> None:
        """`field` is the column that was asked for: where the first row has it, that row is the header. Raises DataError
        where the package that reads such files isn't installed."""
        self.path, self.said, self.field = path, said, field
        self.name = path_name(path)
        if find_spec("python_calamine") is None:
            fix = "pip install 'maskwright[xlsx]', or save it as csv"
            raise DataError("a spreadsheet, which needs another package", where=self.name, fix=fix)

    def columns(self) -> Sequence[str]:
        return self._names

    def head(self) -> list[Row]:
        return [row for row, *_ in itertools.islice(self.rows(None, ignore), FIRST_ROWS)]

    def rows(self, wanted: Collection[str] | None, on_bad: OnBad) -> Rows:
        labels = labelled(self._names)
        for number, cells in enumerate(self._cells, 1):
            if (number > 1 or not self._header) and any(cell != "" for cell in cells):
                row = {name: cell for name, cell in zip(labels, cells, strict=False) if wanted is None or name in wanted}
                yield {name: None if cell == "" else cell for name, cell in row.items()}, "row ", str(number)

    @cached_property
    def _cells(self) -> list[list[Any]]:
        """Of the first sheet that has any."""
        calamine: Any = import_module("python_calamine")
        try:
            book = calamine.CalamineWorkbook.from_path(str(self.path))
            sheets = (book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names)
            return next((rows for rows in sheets if rows), [])
        except Exception as error:  # of broken files it raises errors of many types
            raise DataError(f"not a readable spreadsheet: {said(error)}", where=self.name) from None

    @cached_property
    def _header(self) -> bool:
        shown = [[str(cell) for cell in cells] for cells in self._cells[:SHOWN]]
        return self.said.header if self.said.header is not None else bool(shown) and has_header(shown, self.field)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        first = self._cells[0] if self._cells else []
        return tuple(map(str, first)) if self._header else tuple(str(number) for number in range(1, len(first) + 1))
