"""Rows of jsonl, csv, tsv, Parquet, Arrow and saved `datasets` folders, as dictionaries with their place.

In: a path (.gz and .zst are opened on the fly). Out: (row, what its number counts, its number), streamed. Which field of a
row matters is for `fields.py`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from maskwright.errors import DataError
from maskwright.records.utf8 import Guard, OnBad, decoded

Rows = Iterator[tuple[dict[str, Any], str, str]]
"""a row, and `place` and `number` of its `record.Origin`"""
_COMPRESSED = {".gz": "gzip", ".zst": "zstd"}
_KINDS = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet",
    ".arrow": "arrow", ".feather": "arrow", ".txt": "txt",
}  # fmt: skip
BATCH_ROWS, BATCH_BYTES = 1024, 1 << 25
"""of a Parquet file, read at once: rows may hold photographs"""
csv.field_size_limit(1 << 30)


def kind_of(path: Path) -> str:
    """The format by the file's ending, a compression's ending left aside; "" for any other text."""
    suffix = path.suffix.lower()
    if suffix in _COMPRESSED:
        suffix = Path(path.stem).suffix.lower()
    return _KINDS.get(suffix, "")


def is_table(path: Path) -> bool:
    return kind_of(path) not in ("", "txt")


def opened(path: Path) -> Any:
    """A buffered binary stream of the file's content, decompressed."""
    compression = _COMPRESSED.get(path.suffix.lower())
    if compression:
        return io.BufferedReader(_Raw(pa.input_stream(str(path), compression=compression)), 1 << 20)
    return open(path, "rb", buffering=1 << 20)


def rows(path: Path, kind: str, on_bad: OnBad) -> Rows | None:
    """The rows of a table of this `kind_of`; None where it is no table."""
    if kind == "csv":
        return delimited(path, ",", on_bad)
    if kind == "tsv":
        return delimited(path, "\t", on_bad)
    reader = {"jsonl": jsonl, "parquet": parquet, "arrow": arrow}.get(kind)
    return reader(path, on_bad) if reader else None


class _Raw(io.RawIOBase):
    """Arrow's decompressing stream behind the standard interface, for line iteration."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def jsonl(path: Path, on_bad: OnBad) -> Rows:
    with Guard(str(path), on_bad), opened(path) as stream:
        for number, raw in enumerate(stream, 1):
            text = decoded(raw, f"{path}:{number}", on_bad, mark=number == 1)
            if text is None or not text.strip():
                continue
            try:
                row = json.loads(text)
            except json.JSONDecodeError as error:
                what = f"not JSON: {error.msg} at column {error.colno}"
                on_bad(DataError(what, where=f"{path}:{number}", fix="mend the line"))
                continue
            if not isinstance(row, dict):
                on_bad(DataError(f"expected a JSON object, got {type(row).__name__}", where=f"{path}:{number}"))
                continue
            yield row, "", str(number)


def delimited(path: Path, separator: str, on_bad: OnBad) -> Rows:
    """csv and tsv with a header line; a row may span lines inside quotes."""
    with Guard(str(path), on_bad), opened(path) as stream:
        reader = csv.reader(_text_lines(path, stream, on_bad), delimiter=separator, strict=True)
        header: list[str] | None = None
        begun = 1
        while True:
            try:
                row = next(reader, None)
            except csv.Error as error:
                on_bad(DataError(f"not {path.suffix.lstrip('.')}: {error}", where=f"{path}:{reader.line_num}"))
                begun = reader.line_num + 1
                continue
            if row is None:
                return
            line, begun = begun, reader.line_num + 1
            if not row:
                continue
            if header is None:
                header = row
                if len(set(header)) < len(header):
                    names = ", ".join(header)
                    raise DataError(f"two columns have one name in {names}", where=f"{path}:1", fix="rename one")
            elif len(row) != len(header):
                what = f"ragged row: {len(row)} fields where the header has {len(header)}"
                on_bad(DataError(what, where=f"{path}:{line}", fix="quote separators inside a field"))
            else:
                yield dict(zip(header, row, strict=True)), "", str(line)


def _text_lines(path: Path, stream: Any, on_bad: OnBad) -> Iterator[str]:
    for number, raw in enumerate(stream, 1):
        line = decoded(raw, f"{path}:{number}", on_bad, mark=number == 1)
        yield "\n" if line is None else line  # a line that was skipped still counts


def parquet(path: Path, on_bad: OnBad) -> Rows:
    with Guard(str(path), on_bad, "not a readable Parquet file"):
        file = pq.ParquetFile(path)
        size = sum(file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups))
        rows = BATCH_BYTES * file.metadata.num_rows // max(size, 1)
        yield from _batches(file.iter_batches(batch_size=min(max(rows, 1), BATCH_ROWS)))


def arrow(path: Path, on_bad: OnBad) -> Rows:
    """An Arrow file in either of its framings, file or stream."""
    with Guard(str(path), on_bad, "not a readable Arrow file"), pa.memory_map(str(path)) as source:
        try:
            reader = pa.ipc.open_file(source)
            batches: Iterable[Any] = (reader.get_batch(i) for i in range(reader.num_record_batches))
        except pa.ArrowInvalid:
            source.seek(0)
            batches = pa.ipc.open_stream(source)
        yield from _batches(batches)


def _batches(batches: Iterable[Any]) -> Rows:
    number = 0
    for batch in batches:
        for row in batch.to_pylist():
            number += 1
            yield row, "row ", str(number)


def is_saved_dataset(folder: Path) -> bool:
    """What `datasets` writes with save_to_disk."""
    return (folder / "dataset_dict.json").is_file() or (
        (folder / "state.json").is_file() and (folder / "dataset_info.json").is_file()
    )


def saved_dataset(folder: Path, on_bad: OnBad) -> Rows:
    """A saved `datasets` folder. Of several splits one must be named: those kept for tests are not trained on unasked."""
    index = folder / "dataset_dict.json"
    if index.is_file():
        splits = json.loads(index.read_text())["splits"]
        if len(splits) > 1:
            what = f"holds the splits {', '.join(splits)}"
            raise DataError(what, where=folder, fix=f"name one, such as {folder / splits[0]}")
        for split in splits:
            yield from saved_dataset(folder / split, on_bad)
        return
    for file in json.loads((folder / "state.json").read_text())["_data_files"]:
        for row, place, number in arrow(folder / file["filename"], on_bad):
            yield row, f"{file['filename']} {place}", number
