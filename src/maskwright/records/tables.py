"""Which format a file has, and the table in it.

In: a path, and what the user has said of its layout. Out: the format's `Table`, or None for what is no table. Which column
of a table matters is for `fields.py`.
"""

from __future__ import annotations

from pathlib import Path

from maskwright.records.columnar import Arrow, Parquet
from maskwright.records.compressed import inner_suffix
from maskwright.records.delimited import Delimited
from maskwright.records.json_rows import JsonDocument, JsonLines, shape_of
from maskwright.records.spreadsheet import Spreadsheet
from maskwright.records.table import AS_FOUND, Layout, Table

_KINDS = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".tsv": "tsv", ".tab": "tsv",
    ".xlsx": "spreadsheet", ".xls": "spreadsheet", ".ods": "spreadsheet", ".parquet": "parquet", ".arrow": "arrow",
    ".feather": "arrow", ".txt": "txt",
}  # fmt: skip
_USUAL = {"csv": ",", "tsv": "\t"}


def kind_of(path: Path) -> str:
    """The format by the file's ending, a compression's ending left aside; "" for any other text."""
    return _KINDS.get(inner_suffix(path), "")


def is_table(path: Path) -> bool:
    """Whether a file has rows: of JSON, whether it is a list or has an object a line."""
    kind = kind_of(path)
    if kind == "json":
        return path.is_file() and shape_of(path, AS_FOUND) in ("lines", "list")
    return kind not in ("", "txt")


def table_of(path: Path, said: Layout, field: str | None = None, in_folder: bool = False) -> Table | None:
    """The table in a file; None where it is none. A single JSON object is one where it was named by itself: in a folder it
    is a file of settings more often than of records. Raises DataError for what was said wrongly."""
    kind = kind_of(path)
    if kind in _USUAL:
        return Delimited(path, _USUAL[kind], said, field)
    if kind == "json":
        shape = shape_of(path, said)
        if shape == "lines":
            return JsonLines(path, said)
        return JsonDocument(path, said, shape == "list") if shape == "list" or (shape and not in_folder) else None
    if kind == "spreadsheet":
        return Spreadsheet(path, said, field)
    if kind == "jsonl":
        return JsonLines(path, said)
    return {"parquet": Parquet, "arrow": Arrow}[kind](path) if kind in ("parquet", "arrow") else None
