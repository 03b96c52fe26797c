"""Rows of Parquet files, Arrow files and folders that `datasets` saved.

In: a path. Out: a `Table` that converts the wanted columns and no others. A batch in which a library stumbles is read row by
row, so that one bad cell costs its own row.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from maskwright.errors import DataError
from maskwright.records.table import FIRST_ROWS, Row, Rows, Table, path_name
from maskwright.records.text_stream import Guard, OnBad, said, stop

BATCH_ROWS, BATCH_BYTES = 1024, 1 << 25
"""Rows, and bytes, of a Parquet file that are read at once, at most: rows may hold photographs."""


class Columnar(Table):
    """A table whose columns are stored one by one."""

    kind = ""
    """Name of the file format in messages."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path_name(path)

    @abstractmethod
    def _schema(self) -> pa.Schema:
        """Raises what its library does."""

    @abstractmethod
    def _batches(self, wanted: Sequence[str] | None, most: int | None) -> Iterator[pa.RecordBatch]:
        """Batches of the wanted columns, of `most` rows if that is said. Raises what its library does."""

    def columns(self) -> Sequence[str]:
        names: list[str] = []
        with self._guard(stop):
            names = self._schema().names
        return names

    def head(self) -> list[Row]:
        with self._guard(stop):
            for batch in self._batches(None, FIRST_ROWS):
                return _by_column(batch.slice(0, FIRST_ROWS))
        return []

    def plain_columns(self) -> dict[str, pa.DataType]:
        """Without those that are nested or hold bytes, and those that can't be converted."""
        first = self.head()
        held = {name for row in first for name in row}
        with self._guard(stop):
            return {field.name: field.type for field in self._schema() if field.name in held and _is_plain(field.type)}
        return {}

    def rows(self, wanted: Collection[str] | None, on_bad: OnBad) -> Rows:
        number = 0
        with self._guard(on_bad):
            names = self._schema().names
            columns = None if wanted is None else [name for name in names if name in wanted]
            for batch in self._batches(columns, None):
                begun, number = number, number + batch.num_rows

                def bad(index: int, error: Exception, begun: int = begun) -> None:
                    where = f"{self.name}:row {begun + index + 1}"
                    on_bad(DataError(f"can't be read: {said(error)}", where=where, fix="mend the row"))

                for row, index in _rows(batch, bad):
                    yield row, "row ", str(begun + index + 1)

    def _guard(self, on_bad: OnBad) -> Guard:
        return Guard(self.name, on_bad, f"not a readable {self.kind} file")


def _rows(batch: pa.RecordBatch, bad: Any) -> Iterator[tuple[Row, int]]:
    """Rows of a batch and their indices; `bad(index, error)` hears of each that can't be converted."""
    try:
        rows = batch.to_pylist()
    except Exception:  # what conversion raises has many types, and one cell is enough
        rows = None
    if rows is not None:
        yield from zip(rows, range(len(rows)), strict=True)
        return
    for index in range(batch.num_rows):
        try:
            row = batch.slice(index, 1).to_pylist()[0]
        except Exception as error:
            bad(index, error)
        else:
            yield row, index


def _is_plain(kind: pa.DataType) -> bool:
    bytes_ = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_binary_view)
    return not (pa.types.is_nested(kind) or pa.types.is_null(kind) or any(holds(kind) for holds in bytes_))


def _by_column(batch: pa.RecordBatch) -> list[Row]:
    """Rows of a batch without the cells that can't be converted, and without columns that have the name of another."""
    rows: list[Row] = [{} for _ in range(batch.num_rows)]
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if batch.schema.names.count(name) == 1:
            for row, index in _rows(pa.record_batch([column], names=[name]), lambda index, error: None):
                rows[index] |= row
    return rows


class Parquet(Columnar):
    kind = "Parquet"

    def _schema(self) -> pa.Schema:
        with open(self.path, "rb") as file:
            return pq.ParquetFile(file).schema_arrow

    def _batches(self, wanted: Sequence[str] | None, most: int | None) -> Iterator[pa.RecordBatch]:
        with open(self.path, "rb") as opened:
            # Read as it is needed: ahead of that memory would grow with the file.
            file = pq.ParquetFile(opened, buffer_size=1 << 20, pre_buffer=False)
            groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
            rows = BATCH_BYTES * file.metadata.num_rows // max(sum(group.total_byte_size for group in groups), 1)
            size = most or min(max(rows, 1), BATCH_ROWS)
            for batch in file.iter_batches(batch_size=size, columns=wanted):
                yield batch if wanted is None else batch.select(wanted)  # a name's beginning may be another column's


class Arrow(Columnar):
    """An Arrow file in either of its framings, file or stream."""

    kind = "Arrow"

    def _schema(self) -> pa.Schema:
        with self._mapped() as source:
            return _reader(source).schema

    def _batches(self, wanted: Sequence[str] | None, most: int | None) -> Iterator[pa.RecordBatch]:
        with self._mapped() as source:
            reader = _reader(source)
            stream = reader if isinstance(reader, pa.RecordBatchStreamReader) else None
            for batch in stream or map(reader.get_batch, range(reader.num_record_batches)):
                yield batch if wanted is None else batch.select(wanted)

    def _mapped(self) -> Any:
        try:
            return pa.memory_map(str(self.path))
        except UnicodeEncodeError:  # a name that is not UTF-8
            return pa.PythonFile(open(self.path, "rb"))


def _reader(source: Any) -> Any:
    try:
        return pa.ipc.open_file(source)
    except pa.ArrowInvalid:
        source.seek(0)
        return pa.ipc.open_stream(source)


class SavedDataset(Table):
    """What `datasets` writes with save_to_disk: a folder of Arrow files."""

    def __init__(self, folder: Path) -> None:
        """Raises DataError for one of several splits: one must be named, since those kept for tests are not trained on
        unasked."""
        self.name = path_name(folder)
        index = folder / "dataset_dict.json"
        if index.is_file():
            splits = _said(index, "splits")
            if len(splits) != 1:
                what = f"holds the splits {', '.join(splits)}"
                raise DataError(what, where=folder, fix=f"name one, such as {folder / splits[0]}" if splits else "")
            folder = folder / splits[0]
        self.parts = [
            (file["filename"], Arrow(folder / file["filename"])) for file in _said(folder / "state.json", "_data_files")
        ]

    def columns(self) -> Sequence[str]:
        return self.parts[0][1].columns() if self.parts else []

    def head(self) -> list[Row]:
        return self.parts[0][1].head() if self.parts else []

    def plain_columns(self) -> dict[str, pa.DataType]:
        return self.parts[0][1].plain_columns() if self.parts else {}

    def rows(self, wanted: Collection[str] | None, on_bad: OnBad) -> Rows:
        for name, part in self.parts:
            for row, place, number in part.rows(wanted, on_bad):
                yield row, f"{name} {place}", number


def _said(path: Path, key: str) -> list[Any]:
    """A list in one of the small files that `datasets` keeps beside the data. Raises DataError."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return list(json.loads(path.read_text(encoding="utf-8"))[key])
    raise DataError(f"lists no {key!r}", where=path, fix="save the data set again")


def is_saved_dataset(folder: Path) -> bool:
    """Whether a folder is one that `datasets` wrote with save_to_disk."""
    return (folder / "dataset_dict.json").is_file() or (
        (folder / "state.json").is_file() and (folder / "dataset_info.json").is_file()
    )
