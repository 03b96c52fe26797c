"""The types that everything shares: a record's tokens, a ragged batch of them, a mask, and a distribution.

Legend used throughout: N tokens of one record, T tokens of a batch (flat, no padding), R records of a batch,
P position axes, M positions that are predicted, W width, V values that a position can take.

Arrays here are numpy's: what is prepared on the side is data. Only `nets/` turns them into tensors.
Knows nothing of any modality: `values` holds whatever one calls its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_T = TypeVar("_T", bound="Tokens")


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """One record after cutting: N tokens, every array with N as its first dimension."""

    values: dict[str, Array]
    """Content of the tokens, as named arrays of the modality's own: {"id"} for text."""
    positions: Array
    """(N, P) position along each axis: for text its index; for a picture row, column; for a series time, channel. They fill
    a box, row by row, and in a batch that is trained on they count from 0 in every record."""
    kind: Array
    """(N,) index of the column or channel; 0 where there is one kind only."""
    present: Array
    """(N,) bool: False where the data itself has no value: a blank, a missing cell. Such a token is never a training
    target."""
    maskable: Array
    """(N,) bool: False for tokens that frame the record ([CLS], [SEP])."""
    unit: Array
    """(N,) number of the word, patch, cell or step that each token belongs to, for whole-unit masks; rises along the
    record."""
    where: Array
    """(N, D) place in the record in the user's units; for text the first character and the one after the last."""

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def shape(self) -> tuple[int, ...]:
        """The extents, along each axis, of the box that the record's positions fill row by row."""
        if not len(self):
            return (0,) * self.positions.shape[1]
        return tuple(int(n) for n in self.positions.max(0) - self.positions.min(0) + 1)

    def take(self, index: Any) -> Tokens:
        """The tokens at `index` (a slice, a boolean mask or integers), as one record."""
        arrays = {f.name: getattr(self, f.name)[index] for f in fields(Tokens) if f.name != "values"}
        return Tokens(values={name: a[index] for name, a in self.values.items()}, **arrays)

    def with_values(self: _T, index: Any, new: dict[str, Array]) -> _T:
        """The same tokens with other values at `index`, which are present from now on."""
        values = {name: a.copy() for name, a in self.values.items()}
        for name, array in new.items():
            values[name][index] = array
        present = self.present.copy()
        present[index] = True
        return replace(self, values=values, present=present)


@dataclass(frozen=True, kw_only=True)
class Batch(Tokens):
    """The tokens of many records end to end: T tokens, and where each record begins."""

    cu_seqlens: Array
    """(R + 1,) int64 boundaries of the records: record r owns the tokens cu_seqlens[r] to cu_seqlens[r + 1]."""
    keys: Array
    """(R,) uint64, each depending on its record alone: the keys that masks are drawn from."""

    @property
    def lengths(self) -> Array:
        return np.diff(self.cu_seqlens)

    @property
    def record(self) -> Array:
        """(T,) which record a token belongs to."""
        return np.repeat(np.arange(len(self.keys)), self.lengths)

    def only(self, index: Array) -> Batch:
        """The tokens at `index` (ascending) of the same records, some of which may have none left."""
        kept = self.take(index)
        return Batch(**vars(kept), cu_seqlens=np.searchsorted(index, self.cu_seqlens).astype(np.int64), keys=self.keys)


@dataclass(frozen=True, kw_only=True)
class Mask:
    """What the net must not see, and what it is asked."""

    hidden: Array
    """(T,) bool: tokens withheld from the net, those that are absent in the data included."""
    target: Array
    """(M,) int64, ascending indices into T of the tokens to predict: a subset of the hidden ones."""
    weight: Array
    """(M,) float32: how much each target counts in the loss."""


def collate(records: Sequence[Tokens], keys: Sequence[int] | Array) -> Batch:
    """Puts records end to end."""
    lengths = [len(tokens) for tokens in records]
    arrays = {
        f.name: np.concatenate([getattr(tokens, f.name) for tokens in records]) for f in fields(Tokens) if f.name != "values"
    }
    return Batch(
        values={name: np.concatenate([tokens.values[name] for tokens in records]) for name in records[0].values},
        **arrays,
        cu_seqlens=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        keys=np.asarray(keys, dtype=np.uint64),
    )


def uncollate(batch: Batch) -> list[Tokens]:
    """The inverse of `collate`."""
    return [batch.take(slice(a, b)) for a, b in zip(batch.cu_seqlens[:-1], batch.cu_seqlens[1:], strict=True)]
