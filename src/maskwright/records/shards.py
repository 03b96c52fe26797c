"""Token shards: the columns of every record's tokens end to end on disk, read through memory maps.

In: records' token columns, in order. Out: slices of them by record, without loading the rest, so that a corpus larger
than memory trains. A finished shard folder has an `index.npz`; one without it is a leftover, and is not read.
Knows nothing of what a column means.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.tokens import Array, grid


class Writer:
    """Appends records; `close` makes the folder readable."""

    def __init__(self, folder: Path, columns: dict[str, np.dtype[Any]]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "index.npz").unlink(missing_ok=True)
        self.folder, self.columns = folder, columns
        self.files = {name: open(folder / f"{name}.bin", "wb", buffering=1 << 20) for name in columns}  # noqa: SIM115 (closed by close)
        self.lengths, self.keys, self.folds, self.groups, self.sizes, self.shapes = (array(c) for c in "qQQQqq")

    def add(self, tokens: dict[str, Array], shape: Sequence[int], *, key: int, fold: int, group: int, size: int) -> None:
        """`shape`: extents of the tokens along each axis; `key`: hash of the content; `fold`: of the content by which one
        repeats another; `size`: bytes of user data."""
        n = 0
        for name, file in self.files.items():
            file.write(tokens[name].tobytes())
            n = len(tokens[name])
        self.shapes.extend(shape)
        for values, value in zip(
            (self.lengths, self.keys, self.folds, self.groups, self.sizes), (n, key, fold, group, size), strict=True
        ):
            values.append(value)

    def discard(self) -> None:
        """Lets go of the files; the folder stays unreadable."""
        for file in self.files.values():
            file.close()

    def close(self) -> None:
        self.discard()
        (self.folder / "columns.json").write_text(
            json.dumps({n: [d.base.str, d.shape] for n, d in self.columns.items()}), encoding="utf-8"
        )
        arrays: dict[str, Any] = {
            name: np.frombuffer(getattr(self, name), dtype=np.int64 if name in ("lengths", "sizes") else np.uint64)
            for name in ("lengths", "keys", "folds", "groups", "sizes")
        }
        axes = len(self.shapes) // max(len(self.lengths), 1)
        arrays["shapes"] = np.frombuffer(self.shapes, dtype=np.int64).reshape(len(self.lengths), max(axes, 1))
        temporary = self.folder / "index.tmp.npz"
        np.savez(temporary, allow_pickle=False, **arrays)
        temporary.rename(self.folder / "index.npz")


class Shards:
    """What `Writer` wrote. Arrays are (R,) over records in the order of writing; `shapes` is (R, P) for P axes."""

    def __init__(self, folder: Path) -> None:
        index = np.load(folder / "index.npz", allow_pickle=False)
        self.lengths, self.keys, self.folds = index["lengths"], index["keys"], index["folds"]
        self.groups, self.sizes, self.shapes = index["groups"], index["sizes"], index["shapes"]
        self.starts = np.concatenate([[0], np.cumsum(self.lengths)])
        columns = json.loads((folder / "columns.json").read_text(encoding="utf-8"))
        self.columns: dict[str, Array] = {}
        for name, (kind, inner) in columns.items():
            dtype = np.dtype((kind, tuple(inner)))
            path = folder / f"{name}.bin"
            empty = not path.stat().st_size
            self.columns[name] = np.empty(0, dtype) if empty else np.memmap(path, dtype=dtype, mode="r")

    @staticmethod
    def ready(folder: Path) -> bool:
        return (folder / "index.npz").is_file()

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def nbytes(self) -> int:
        """On disk."""
        return sum(column.nbytes for column in self.columns.values()) + (5 + self.shapes.shape[1]) * 8 * len(self)

    def pieces(self, records: Array, starts: Array, sizes: Array) -> dict[str, Array]:
        """Token columns of boxes in records, end to end: corners and sides (n, P)."""
        index = grid.cells(self.starts[records], self.shapes[records], starts, sizes)
        return {name: np.asarray(column[index]) for name, column in self.columns.items()}

    def column(self, name: str, records: Array, most: int) -> tuple[Array, Array]:
        """One column of `records`, spread evenly over them up to `most` tokens, end to end; and where each begins."""
        total = int(self.lengths[records].sum())
        chosen = records[:: max(1, -(-total // most))]
        lengths = self.lengths[chosen]
        parts: Iterable[Array] = (self.columns[name][self.starts[r] : self.starts[r + 1]] for r in chosen)
        flat = np.concatenate([self.columns[name][:0], *parts])
        return flat, np.concatenate([[0], np.cumsum(lengths)])
