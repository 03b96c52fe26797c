"""Answers of bulk verbs to a file: Parquet, csv, jsonl, .npy with a jsonl of ids beside it, or files of the values' kind.

In: `Answered` records as they come. Out: all of it, or nothing: rows stream into a temporary sibling that takes the name at
the end. An existing file is never overwritten. Knows nothing of the verbs.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from maskwright.errors import RunError, option
from maskwright.records.record import Origin, Record
from maskwright.records.text_stream import said

LISTED = "sources.jsonl"
"""Name of the file, in a folder of answers that are files of their own, that says which record each was made of."""


@dataclass(frozen=True)
class Answered:
    """A record and what a verb made of it."""

    record: Record
    answer: Any
    columns: Callable[[Record, Any], dict[str, Any]]
    """Turns the record and its answer into the columns of a table row."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Columns of the input that go by another name there, since an answer has theirs."""

    @property
    def row(self) -> dict[str, Any]:
        """As a row of a table: what was kept of the input's own, then the record's id and source, and the answer."""
        own = {"id": self.record.id, "source": str(self.record.source), **self.columns(self.record, self.answer)}
        return {self.names.get(name, name): cell for name, cell in self.record.kept.items()} | own


@dataclass(frozen=True)
class OwnFiles:
    """Answers that may be files of their own."""

    name: str
    """What several of the values are called in messages, as "pictures"."""
    endings: Sequence[str]
    """File endings that the values may have, the usual one first."""
    contents: Callable[[Answered], list[tuple[bytes, str]]]
    """Returns the files that an answer becomes: the bytes and the file ending of each."""


class Sink(Protocol):
    def add(self, answers: Sequence[Answered]) -> None: ...

    def close(self) -> None: ...


class Parquet:
    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.schema, self.writer = schema, pq.ParquetWriter(path, schema, compression="zstd")
        self.spelled = [field.name for field in schema if pa.types.is_string(field.type)]

    def add(self, answers: Sequence[Answered]) -> None:
        rows = [answer.row for answer in answers]
        for name in self.spelled:
            for row in rows:
                cell = row.get(name)
                row[name] = (
                    cell if cell is None or isinstance(cell, str) else json.dumps(cell, ensure_ascii=False, default=str)
                )
        try:
            table = pa.Table.from_pylist(rows, schema=self.schema)
        except (pa.ArrowException, TypeError, OverflowError) as error:
            what = f"a column of the input doesn't keep its type: {said(error)}"
            raise RunError(what, fix="write .jsonl, or leave it out with `--keep`", option="keep") from None
        self.writer.write_table(table)

    def close(self) -> None:
        self.writer.close()


class Jsonl:
    def __init__(self, path: Path) -> None:
        self.file = open(path, "w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115 (closed by close)

    def add(self, answers: Sequence[Answered]) -> None:
        self.write([answer.row for answer in answers])

    def write(self, rows: Sequence[dict[str, Any]]) -> None:
        self.file.writelines(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)

    def close(self) -> None:
        self.file.close()


class Csv:
    """Commas, quotes where they are needed, and a header; what is more than one value stands in its cell as JSON."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self.file = open(path, "w", encoding="utf-8", errors="backslashreplace", newline="")  # noqa: SIM115
        self.names = names
        self.writer = csv.writer(self.file, lineterminator="\n")
        self.writer.writerow(names)

    def add(self, answers: Sequence[Answered]) -> None:
        for answer in answers:
            row = answer.row
            self.writer.writerow([_spelled(row.get(name)) for name in self.names])

    def close(self) -> None:
        self.file.close()


def _spelled(cell: Any) -> Any:
    """A cell as csv has it."""
    if cell is None or isinstance(cell, (str, int, float)):
        return cell
    return json.dumps(cell, ensure_ascii=False, default=str)


class Npy:
    """One column of equal vectors as a matrix; its header is written again when the number of rows is known."""

    def __init__(self, path: Path, ids: Path, column: str) -> None:
        self.file = open(path, "w+b")  # noqa: SIM115 (closed by close)
        self.ids, self.column = Jsonl(ids), column
        self.rows = self.width = self.size = 0
        self._header()

    def add(self, answers: Sequence[Answered]) -> None:
        rows = [answer.row for answer in answers]
        matrix = np.stack([row[self.column] for row in rows]).astype("<f4")
        self.rows, self.width = self.rows + len(matrix), matrix.shape[1]
        self.file.write(matrix.tobytes())
        self.ids.write([{name: value for name, value in row.items() if name != self.column} for row in rows])

    def close(self) -> None:
        self.file.seek(0)
        self._header()
        self.file.close()
        self.ids.close()

    def _header(self) -> None:
        # numpy pads a header for any number of rows, so that the second one has the first one's length.
        shape = {"descr": "<f4", "fortran_order": False, "shape": (self.rows, self.width or 1 << 20)}
        before = self.file.tell()
        np.lib.format.write_array_header_2_0(self.file, shape)
        size = self.file.tell() - before
        if self.rows and size != self.size:
            raise RunError("the header of the .npy file changed its size", fix="write .parquet instead")
        self.size = size


class Files:
    """Answers that are files of their own: the only one to a path that ends like it, or any number into a folder, named
    after their records, and listed with them in a file."""

    def __init__(self, path: Path, own: OwnFiles, final: Path) -> None:
        self.path, self.own, self.final, self.several = path, own, final, not final.suffix
        self.names: Counter[str] = Counter()
        if path.is_dir():  # of a command that was killed
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        if self.several:
            path.mkdir()
            self.listed = Jsonl(path / LISTED)

    def add(self, answers: Sequence[Answered]) -> None:
        for answer in answers:
            contents = self.own.contents(answer)
            if self.several:
                self._add_to_folder(answer.record.source, contents)
            else:
                self._write_only(contents)

    def _add_to_folder(self, source: Origin, contents: list[tuple[bytes, str]]) -> None:
        many = len(contents) > 1
        ends = [f"-{number}{ending}" if many else ending for number, (_, ending) in enumerate(contents, 1)]
        name = self._fresh(source, ends)
        for end, (data, _) in zip(ends, contents, strict=True):
            (self.path / (name + end)).write_bytes(data)
            self.listed.write([{"file": name + end, "source": str(source)}])

    def _write_only(self, contents: list[tuple[bytes, str]]) -> None:
        if self.path.exists() or len(contents) > 1:
            fix = "name a folder, or a .parquet file"
            raise RunError(f"several {self.own.name} don't go into one file", fix=fix)
        ((data, ending),) = contents
        if ending != self.final.suffix.lower():
            raise RunError("what was made doesn't go into such a file", where=self.final, fix=f"end it in {ending}")
        self.path.write_bytes(data)

    def _fresh(self, source: Origin, ends: Sequence[str]) -> str:
        """What all files of a record begin with: its file's name, and the row of a table; where that is taken with its
        folder before it, or a number behind."""
        file = Path(source.name)
        name = file.stem + (f"-{source.number}" if source.number else "")
        tried = name
        while any((self.path / (tried + end)).exists() for end in ends):
            self.names[name] += 1
            tried = f"{name}~{self.names[name]}" if self.names[name] > 1 else f"{file.parent.name}-{name}"
        return tried

    def close(self) -> None:
        if self.several:
            self.listed.close()


class Answers:
    """`with Answers(path, schema) as out: out.add(answers)`; nothing is left behind where it fails."""

    def __init__(
        self,
        path: Path,
        schema: pa.Schema,
        matrix: str | None = None,
        own: OwnFiles | None = None,
        parameter: str = "out",
    ) -> None:
        """`matrix`: the column that a .npy holds; `own`: where answers may be files of their own; `parameter`: the option
        that named the path. Raises RunError where nothing can be written there."""
        where, suffix = option(parameter, path), path.suffix.lower()
        kinds = [".parquet", *(own.endings if own else [".jsonl", ".csv"]), *([".npy"] if matrix else [])]
        if suffix not in kinds and (suffix or not own):
            folder = ", or name a folder without an ending" if own else ""
            raise RunError(f"end it in {' or '.join(kinds)}{folder}", where=where, option=parameter)
        self.finals = [path] + ([path.with_suffix(".ids.jsonl")] if suffix == ".npy" and matrix else [])
        for final in self.finals:
            if final.exists():
                raise RunError("exists", where=option(parameter, final), fix="name another", option=parameter)
            if not final.parent.is_dir():
                raise RunError(f"there is no folder {final.parent}", where=option(parameter, final), option=parameter)
        self.temporaries = [final.with_name(f".{final.name}.tmp") for final in self.finals]
        self.sink: Sink
        if suffix == ".parquet":
            self.sink = Parquet(self.temporaries[0], schema)
        elif own:
            self.sink = Files(self.temporaries[0], own, path)
        elif suffix == ".csv":
            self.sink = Csv(self.temporaries[0], schema.names)
        elif suffix == ".jsonl":
            self.sink = Jsonl(self.temporaries[0])
        else:
            assert matrix is not None
            self.sink = Npy(self.temporaries[0], self.temporaries[1], matrix)

    def __enter__(self) -> Sink:
        return self.sink

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self.sink.close()
            if kind is None:
                for temporary, final in zip(self.temporaries, self.finals, strict=True):
                    os.replace(temporary, final)
        except Exception:
            if kind is None:  # else what went wrong first is what the user should hear of
                raise
        finally:
            for temporary in self.temporaries:
                if temporary.is_dir():
                    shutil.rmtree(temporary)
                temporary.unlink(missing_ok=True)
