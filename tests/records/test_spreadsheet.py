"""The first sheet of a spreadsheet is a table like any other."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from maskwright.errors import DataError
from maskwright.records import spreadsheet
from tests.records.written import values

pytest.importorskip("python_calamine")
ROWS = [["id", "text", "stars"], *([i, f"the stone number {i}", i % 5] for i in range(50))]


def write(path: Path, rows: list[list[object]]) -> Path:
    """The least that a spreadsheet program takes for a workbook."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"

    def cell(value: object) -> str:
        if isinstance(value, str):
            return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
        return f"<c><v>{value}</v></c>"

    body = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    kinds = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-'
            f'package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType="{kinds}.sheet.main+xml"/>'
            f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kinds}.worksheet+xml"/></Types>',
        )
        file.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        file.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets>'
            "</workbook>",
        )
        file.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/worksheet" '
            'Target="worksheets/sheet1.xml"/></Relationships>',
        )
        file.writestr("xl/worksheets/sheet1.xml", f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>')
    return path


def test_rows_of_a_sheet_are_read(tmp_path: Path) -> None:
    texts = [row[1] for row in ROWS[1:]]
    path = write(tmp_path / "a.xlsx", ROWS)
    assert values(path) == values(path, field="text") == texts
    bare = write(tmp_path / "bare.xlsx", ROWS[1:])
    assert values(bare, field="2") == texts


def test_what_is_no_spreadsheet_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"PK\x03\x04 and nothing")
    with pytest.raises(DataError, match=r"a.xlsx: not a readable spreadsheet"):
        values(tmp_path / "a.xlsx")
    monkeypatch.setattr(spreadsheet, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"needs another package; pip install 'maskwright\[xlsx\]'"):
        values(tmp_path / "a.xlsx")
