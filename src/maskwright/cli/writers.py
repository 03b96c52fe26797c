"""Answers of bulk verbs to a file: Parquet, jsonl, .npy with a jsonl of ids beside it, or files of the values' own kind.

In: rows as they come. Out: all of it, or nothing: rows stream into a temporary sibling that takes the name at the end.
An existing file is never overwritten. Knows nothing of the verbs: a row is a dictionary.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from maskwright.errors import RunError
from maskwright.records.forms import Form

LISTED = "sources.jsonl"
"""in a folder of files: what each was made of"""
Row = dict[str, Any]


class Sink(Protocol):
    def add(self, rows: Sequence[Row]) -> None: ...

    def close(self) -> None: ...


class Parquet:
    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.schema, self.writer = schema, pq.ParquetWriter(path, schema, compression="zstd")

    def add(self, rows: Sequence[Row]) -> None:
        self.writer.write_table(pa.Table.from_pylist(list(rows), schema=self.schema))

    def close(self) -> None:
        self.writer.close()


class Jsonl:
    def __init__(self, path: Path) -> None:
        self.file = open(path, "w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115 (closed by close)

    def add(self, rows: Sequence[Row]) -> None:
        self.file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)

    def close(self) -> None:
        self.file.close()


class Npy:
    """One column of equal vectors as a matrix; its header is written again when the number of rows is known."""

    def __init__(self, path: Path, ids: Path, column: str) -> None:
        self.file = open(path, "w+b")  # noqa: SIM115 (closed by close)
        self.ids, self.column = Jsonl(ids), column
        self.rows = self.width = self.size = 0
        self._header()

    def add(self, rows: Sequence[Row]) -> None:
        matrix = np.stack([row[self.column] for row in rows]).astype("<f4")
        self.rows, self.width = self.rows + len(matrix), matrix.shape[1]
        self.file.write(matrix.tobytes())
        self.ids.add([{name: value for name, value in row.items() if name != self.column} for row in rows])

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
            raise RunError("the header of the .npy file changed its size; write .parquet instead")
        self.size = size


class Files:
    """Values that are files of their own: the only one to a path that ends like it, or any number into a folder, named after
    their records, and listed with them in a file."""

    def __init__(self, path: Path, form: Form, final: Path) -> None:
        self.path, self.form, self.final, self.several = path, form, final, not final.suffix
        self.names: Counter[str] = Counter()
        if path.is_dir():  # of a command that was killed
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        if self.several:
            path.mkdir()
            self.listed = Jsonl(path / LISTED)

    def add(self, rows: Sequence[Row]) -> None:
        for row in rows:
            values = [c[self.form.column] for c in row.get("completions") or [row]]
            ending = self.form.ending(values[0])
            name = self._fresh(row["source"], f"-1{ending}" if len(values) > 1 else ending)
            for number, value in enumerate(values, 1):
                if self.several:
                    own = f"{name}{f'-{number}' if len(values) > 1 else ''}{ending}"
                    (self.path / own).write_bytes(value)
                    self.listed.add([{"file": own, "source": row["source"]}])
                elif self.path.exists() or len(values) > 1:
                    raise RunError(f"several {self.form.name} don't go into one file; name a folder, or a .parquet file")
                elif ending != self.final.suffix.lower():
                    raise RunError(f"{self.final}: what was made doesn't go into such a file; end it in {ending}")
                else:
                    self.path.write_bytes(value)

    def _fresh(self, source: str, ending: str) -> str:
        """A file's name without its ending, and with the row of a table; where that is taken with its folder before it, or a
        number behind."""
        if not self.several:
            return ""
        found = re.fullmatch(r"(.*?)(?::(?:[^:]*\brow )?(\d[\d\[\]]*))?", source, re.S)
        file, row = Path(found[1] if found else source), found[2] if found else None
        name = file.stem + (f"-{row}" if row else "")
        tried = name
        while (self.path / (tried + ending)).exists():
            self.names[name] += 1
            tried = f"{name}~{self.names[name]}" if self.names[name] > 1 else f"{file.parent.name}-{name}"
        return tried

    def close(self) -> None:
        if self.several:
            self.listed.close()


class Answers:
    """`with Answers(path, schema) as out: out.add(rows)`; nothing is left behind where it fails."""

    def __init__(
        self,
        path: Path,
        schema: pa.Schema,
        matrix: str | None = None,
        form: Form | None = None,
        own: Sequence[str] = (),
        option: str = "--out",
    ) -> None:
        """`own`: endings of files of single values; none where rows hold no such values."""
        suffix, kinds = path.suffix.lower(), [".parquet", *(own or [".jsonl"]), *([".npy"] if matrix else [])]
        if suffix not in kinds and (suffix or not own):
            folder = ", or name a folder without an ending" if own else ""
            raise RunError(f"{option} {path}: end it in {' or '.join(kinds)}{folder}")
        self.finals = [path] + ([path.with_suffix(".ids.jsonl")] if suffix == ".npy" and matrix else [])
        for final in self.finals:
            if final.exists():
                raise RunError(f"{option} {final}: exists; name another")
            if not final.parent.is_dir():
                raise RunError(f"{option} {final}: there is no folder {final.parent}")
        self.temporaries = [final.with_name(f".{final.name}.tmp") for final in self.finals]
        self.sink: Sink
        if suffix == ".parquet":
            self.sink = Parquet(self.temporaries[0], schema)
        elif form and own and suffix in (*own, ""):
            self.sink = Files(self.temporaries[0], form, path)
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
