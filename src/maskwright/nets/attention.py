"""Self-attention inside each record of a ragged batch, global or within a window.

In: queries, keys and values of a flat batch; a `Layout`. Out: what each token has gathered from its own record.
Where the kernels of `native` are at hand they read records that are short, or whose layers are local, one by one as they
stand. Other records share rows of a few fixed lengths (first fit, longest first), so that plain batched products serve all
of them: torch's fused attention was measured to be several times slower on CPUs (LOG.md#fused-attention). On a GPU, in half
precision, its flash attention reads the records as they stand.

No token attends across records, and unused slots see only each other, so no output depends on another record.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from maskwright.nets import native
from maskwright.nets.positions import rotate
from maskwright.tokens import Array

Rotation = tuple[Tensor, Tensor]
"""Cosines and sines of the tokens' rotary positions, (T, D / 2) each, fp32."""
SHORT = {torch.bfloat16: 512, torch.float32: 2048}
"""By dtype, the number of keys that a query may read up to which the native kernels were measured to be faster than products
in rows (LOG.md#attention-2048-fp32)."""
DEPTH_STEP, FLASH_STEP, FLASH_MOST = 16, 8, 256
"""Sizes of a head: the native kernels take multiples of the first, flash attention multiples of the second up to the
third."""
ROW_LENGTHS = (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)


FLASH_CHIP = (8, 0)
"""The lowest CUDA compute capability on which flash attention runs."""


@dataclass(frozen=True)
class Rows:
    """`count` rows of `length` slots: one shape of the layout, a contiguous part of the slots."""

    first: int
    count: int
    length: int
    segment: Tensor
    """(count, length) int32: the record in each slot; -1 where unused."""
    single: bool
    """Whether every slot of every row is used, by one record a row, so that there is nothing to mask."""
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
                near = _band(self.length, half, self.segment.device)
                allowed = near[None] if allowed is None else allowed & near
            self._bias[key] = None
            if allowed is not None:
                self._bias[key] = torch.zeros_like(allowed, dtype=dtype).masked_fill_(~allowed, -torch.inf)
        return self._bias[key]


@lru_cache(maxsize=32)
def _band(length: int, half: int, device: torch.device) -> Tensor:
    i = torch.arange(length, device=device)
    return (i[:, None] - i[None, :]).abs() <= half


@dataclass(frozen=True)
class Layout:
    """How the records of a batch are read: each by itself where the kernels take them, in rows otherwise."""

    short: Tensor | None
    """(n + 1,) bounds of the records that the native kernels read, among those records' own tokens; None: they read none."""
    order: Tensor | None
    """(S,) the token in each slot: first those of the short records, then those of the rows; 0 where unused; None: tokens
    are read as they stand."""
    slot: Tensor | None
    """(T,) the slot of each token; None: tokens are read as they stand."""
    rows: list[Rows]
    flash: tuple[Tensor, int] | None = None
    """Bounds of the records, int32, and the length of the longest, for flash attention, which reads records as they stand;
    None: it reads none."""

    @classmethod
    def of(
        cls, cu_seqlens: Array, reader: str, window: int = 0, device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Layout:  # fmt: skip
        """The layout for layers of this `window` (see `Rows.bias`) that work in `dtype`; `reader` as `reader_of` has it."""
        lengths = np.diff(cu_seqlens)
        device = device or torch.device("cpu")
        if reader == "flash":
            flash = torch.from_numpy(cu_seqlens.astype(np.int32)).to(device), int(lengths.max())
            return cls(None, None, None, [], flash)
        native = reader == "native"
        most = SHORT.get(dtype, 0)
        brief = (lengths <= most) & native
        if native and 0 < window <= most:
            brief[:] = True
        if brief.all():
            return cls(torch.from_numpy(np.ascontiguousarray(cu_seqlens, dtype=np.int64)), None, None, [])
        slot = np.empty(int(cu_seqlens[-1]), dtype=np.int64)
        bounds = np.concatenate([[0], np.cumsum(lengths[brief])]).astype(np.int64)
        for record, begin in zip(np.flatnonzero(brief), bounds[:-1], strict=True):
            slot[cu_seqlens[record] : cu_seqlens[record + 1]] = np.arange(begin, begin + lengths[record])
        first = int(bounds[-1])
        rows: list[Rows] = []
        shapes = np.where(brief, -1, np.searchsorted(ROW_LENGTHS, lengths))
        for shape in np.unique(shapes[(lengths > 0) & ~brief]):
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
        order = np.zeros(first, dtype=np.int64)
        order[slot] = np.arange(len(slot))
        short = torch.from_numpy(bounds) if brief.any() else None
        return cls(short, torch.from_numpy(order).to(device), torch.from_numpy(slot).to(device), rows)


def reader_of(x: Tensor, depth: int) -> str:
    """What reads records of activations like `x` by heads of this size: native, flash, or rows."""
    if native.serves(x) and depth % DEPTH_STEP == 0:
        return "native"
    half = x.dtype in (torch.bfloat16, torch.float16) and depth % FLASH_STEP == 0 and depth <= FLASH_MOST
    return "flash" if x.is_cuda and half and torch.cuda.get_device_capability(x.device) >= FLASH_CHIP else "rows"


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


def attend(qkv: Tensor, turn: Rotation | None, layout: Layout, window: int) -> Tensor:
    """(T, 3, H, D) queries, keys and values -> (T, H * D). `turn`: cosines and sines, (T, D / 2) each, by which queries
    and keys are rotated first; `window` as in `Rows.bias`."""
    if not len(qkv):  # nothing is seen, of any record
        return qkv[:, 2].flatten(1)
    if layout.flash:
        from torch.nn.attention.varlen import varlen_attn  # which loads torch's compiler: a second that no CPU need wait

        bounds, longest = layout.flash
        q, k, v = _turned(qkv, turn).unbind(1)
        reach = window // 2 if window else -1
        out = varlen_attn(q, k, v, bounds, bounds, longest, longest, window_size=(reach, reach))
        assert isinstance(out, Tensor)  # nothing else was asked for
        return out.flatten(1)
    if layout.order is None or layout.slot is None:
        return _Short.apply(qkv, turn, layout.short, window // 2)  # type: ignore[no-untyped-call]
    parts = []
    order = layout.order
    spread = qkv.index_select(0, order)
    turned = (turn[0].index_select(0, order), turn[1].index_select(0, order)) if turn else None
    if layout.short is not None:
        count = int(layout.short[-1])
        own = (turned[0][:count], turned[1][:count]) if turned else None
        parts.append(_Short.apply(spread[:count], own, layout.short, window // 2))  # type: ignore[no-untyped-call]
    for rows in layout.rows:
        part = slice(rows.first, rows.first + rows.count * rows.length)
        own = (turned[0][part], turned[1][part]) if turned else None
        parts.append(_in_rows(spread[part], own, rows, window))
    return (parts[0] if len(parts) == 1 else torch.cat(parts)).index_select(0, layout.slot)


def _in_rows(qkv: Tensor, turn: Rotation | None, rows: Rows, window: int) -> Tensor:
    heads, depth = qkv.shape[2:]
    q, k, v = _turned(qkv, turn).view(rows.count, rows.length, 3, heads, depth).permute(2, 0, 3, 1, 4)
    scores = torch.matmul(q * depth**-0.5, k.transpose(-1, -2))
    bias = rows.bias(window, scores.dtype)
    if bias is not None:
        scores = scores + bias[:, None]
    out = torch.matmul(torch.softmax(scores, dim=-1), v)
    return out.transpose(1, 2).reshape(rows.count * rows.length, heads * depth)


def _turned(qkv: Tensor, turn: Rotation | None) -> Tensor:
    if turn is None:
        return qkv
    if native.serves(qkv, with_=turn, on=native.GPU):
        return _Turned.apply(qkv, *turn)  # type: ignore[no-untyped-call]
    return torch.cat((rotate(qkv[:, :2], *turn), qkv[:, 2:]), dim=1)


class _Turned(torch.autograd.Function):
    """Queries and keys turned in one pass, by the kernels."""

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        out = torch.empty_like(qkv)
        native.call("turn", qkv, qkv, cos, sin, out, 1.0)
        ctx.save_for_backward(cos, sin)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad = grads[0].contiguous()
        out = torch.empty_like(grad)
        native.call("turn", grad, grad, *ctx.saved_tensors, out, -1.0)
        return out, None, None


class _Short(torch.autograd.Function):
    """Attention inside short records, by the kernels."""

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, turn: Rotation | None, bounds: Tensor, reach: int) -> Tensor:
        qkv = qkv.contiguous()
        tokens, _, heads, depth = qkv.shape
        out = qkv.new_empty(tokens, heads * depth)
        sizes = len(bounds) - 1, heads, depth, reach
        native.call("attend_forward", qkv, qkv, bounds, *(turn or (None, None)), out, *sizes)
        ctx.save_for_backward(qkv, bounds, *(turn or ()))
        ctx.sizes = sizes
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        qkv, bounds, *turn = ctx.saved_tensors
        dqkv = torch.empty_like(qkv)
        native.call("attend_backward", qkv, qkv, bounds, *(turn or (None, None)), grads[0].contiguous(), dqkv, *ctx.sizes)
        return dqkv, None, None, None
