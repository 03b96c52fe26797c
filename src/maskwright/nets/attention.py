"""Self-attention inside each record of a ragged batch, global or within a window.

In: queries, keys and values of a flat batch; a `Layout`. Out: what each token has gathered from its own record.
How records are laid out for the chip is decided here and nowhere else: short ones share rows of a few fixed lengths
(first fit, longest first), so that plain batched products serve all of them. On CPUs these were measured to be several
times faster, backward above all, than torch's fused attention at the lengths that occur here (LOG.md).

No token attends across records, and unused slots see only each other, so no output depends on another record.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from maskwright.tokens import Array

ROW_LENGTHS = (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)


@dataclass(frozen=True)
class Rows:
    """`count` rows of `length` slots: one shape of the layout, a contiguous part of the slots."""

    first: int
    count: int
    length: int
    segment: Tensor
    """(count, length) int32: the record in each slot; -1 where unused"""
    single: bool
    """every slot of every row is used, by one record a row: nothing to mask"""
    _bias: dict[tuple[int, torch.dtype], Tensor | None] = field(default_factory=dict, repr=False)

    def bias(self, window: int, dtype: torch.dtype) -> Tensor | None:
        """(count or 1, length, length), 0 where slot i may read slot j and -inf elsewhere; None: all may.

        `window` > 0 limits reading to |i - j| <= window // 2 (ModernBERT's local attention); 0 doesn't.
        """
        half = window // 2
        key = (window if window and half < self.length - 1 else 0, dtype)
        if key not in self._bias:
            allowed: Tensor | None = None
            if not self.single:
                allowed = self.segment[:, :, None] == self.segment[:, None, :]
            if key[0]:
                near = _band(self.length, half)
                allowed = near[None] if allowed is None else allowed & near
            self._bias[key] = (
                None if allowed is None else torch.zeros(allowed.shape, dtype=dtype).masked_fill_(~allowed, -torch.inf)
            )
        return self._bias[key]


@lru_cache(maxsize=32)
def _band(length: int, half: int) -> Tensor:
    i = torch.arange(length)
    return (i[:, None] - i[None, :]).abs() <= half


@dataclass(frozen=True)
class Layout:
    """Where the T tokens of a batch stand among S slots; S >= T, the rest is unused."""

    rows: list[Rows]
    slot: Tensor
    """(T,) the slot of each token"""
    token: Tensor
    """(S,) the token in each slot; 0 where unused"""
    device: torch.device

    @classmethod
    def of(cls, cu_seqlens: Array, device: torch.device | None = None) -> Layout:
        lengths = np.diff(cu_seqlens)
        device = device or torch.device("cpu")
        slot = np.empty(int(cu_seqlens[-1]), dtype=np.int64)
        rows: list[Rows] = []
        first = 0
        shapes = np.searchsorted(ROW_LENGTHS, lengths)
        for shape in np.unique(shapes[lengths > 0]):
            longest = int(lengths[shapes == shape].max())
            length = ROW_LENGTHS[shape] if shape < len(ROW_LENGTHS) else -(-longest // 1024) * 1024
            members = np.flatnonzero((shapes == shape) & (lengths > 0))
            row, offset, count = _first_fit(lengths[members], length)
            segment = np.full(count * length, -1, dtype=np.int32)
            for record, start in zip(members, row * length + offset, strict=True):
                n = lengths[record]
                segment[start : start + n] = record
                slot[cu_seqlens[record] : cu_seqlens[record + 1]] = np.arange(first + start, first + start + n)
            single = bool((lengths[members] == length).all())
            rows.append(Rows(first, count, length, torch.from_numpy(segment.reshape(count, length)).to(device), single))
            first += count * length
        token = np.zeros(first, dtype=np.int64)
        token[slot] = np.arange(len(slot))
        return cls(rows, torch.from_numpy(slot).to(device), torch.from_numpy(token).to(device), device)

    def spread(self, flat: Tensor) -> Tensor:
        """(T, ...) tokens to (S, ...) slots; unused slots are zero, and send no gradient back."""
        out = flat.new_zeros(len(self.token), *flat.shape[1:])
        return out.index_copy(0, self.slot, flat)


def _first_fit(lengths: Array, capacity: int) -> tuple[Array, Array, int]:
    """Packs items into rows of `capacity`, longest first, each into the fullest row that still has room.

    Returns each item's row, its offset in that row, and the number of rows.
    """
    order = np.argsort(-lengths, kind="stable")
    row, offset = np.empty(len(lengths), dtype=np.int64), np.empty(len(lengths), dtype=np.int64)
    free: list[tuple[int, int]] = []  # (room left, row), ascending
    count = 0
    for item in order:
        need = int(lengths[item])
        at = bisect_left(free, (need, -1))
        if at < len(free):
            room, where = free.pop(at)
        else:
            room, where, count = capacity, count, count + 1
        row[item], offset[item] = where, capacity - room
        if room > need:
            left = (room - need, where)
            free.insert(bisect_left(free, left), left)
    return row, offset, count


def attend(qkv: Tensor, layout: Layout, window: int) -> Tensor:
    """(S, 3, H, D) queries, keys and values, rotated already -> (S, H * D). `window` as in `Rows.bias`."""
    heads, depth = qkv.shape[2:]
    parts = []
    for rows in layout.rows:
        part = qkv[rows.first : rows.first + rows.count * rows.length]
        q, k, v = part.view(rows.count, rows.length, 3, heads, depth).permute(2, 0, 3, 1, 4)
        scores = torch.matmul(q * depth**-0.5, k.transpose(-1, -2))
        bias = rows.bias(window, scores.dtype)
        if bias is not None:
            scores = scores + bias[:, None]
        out = torch.matmul(torch.softmax(scores, dim=-1), v)
        parts.append(out.transpose(1, 2).reshape(rows.count * rows.length, heads * depth))
    return parts[0] if len(parts) == 1 else torch.cat(parts)
