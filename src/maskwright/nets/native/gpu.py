"""The kernels of this folder for GPUs, in Triton, which every CUDA build of torch brings: each one pass over memory.

In and out: as `native.call` passes them, the same as in C++, but for the rotation of queries and keys, which the C++ does
inside attention. Sums are taken in fp32. Imported where a kernel is first called on a GPU, and only there.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

PROGRAMS = 1024
"""The most programs that share the rows of a gradient's sum."""
PIECE = 4096
"""The most logits of a row that are in registers at once."""


@triton.jit
def _norm_forward(x, a, w, b, s, h, stats, width, eps, ADDED: tl.constexpr, SHIFTED: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    j = tl.arange(0, BLOCK)
    there = j < width
    v = tl.load(x + row * width + j, there, 0.0).to(tl.float32)
    if ADDED:
        v += tl.load(a + row * width + j, there, 0.0).to(tl.float32)
        tl.store(s + row * width + j, v, there)
    mean = tl.sum(v, 0) / width
    centred = tl.where(there, v - mean, 0.0)
    scale = 1.0 / tl.sqrt(tl.sum(centred * centred, 0) / width + eps)
    out = centred * scale * tl.load(w + j, there, 0.0)
    if SHIFTED:
        out += tl.load(b + j, there, 0.0)
    tl.store(h + row * width + j, out, there)
    tl.store(stats + 2 * row, mean)
    tl.store(stats + 2 * row + 1, scale)


@triton.jit
def _norm_backward(
    s, stats, w, gs, gh, dx, dw, db, rows, width, PASSED: tl.constexpr, SHIFTED: tl.constexpr, BLOCK: tl.constexpr
):
    program, programs = tl.program_id(0), tl.num_programs(0)
    j = tl.arange(0, BLOCK)
    there = j < width
    weight = tl.load(w + j, there, 0.0)
    weights, shifts = tl.zeros((BLOCK,), tl.float32), tl.zeros((BLOCK,), tl.float32)
    for row in range(program, rows, programs):
        at = (row + tl.zeros((), tl.int64)) * width
        scale = tl.load(stats + 2 * row + 1)
        centred = (tl.load(s + at + j, there, 0.0).to(tl.float32) - tl.load(stats + 2 * row)) * scale
        centred = tl.where(there, centred, 0.0)
        g = tl.load(gh + at + j, there, 0.0).to(tl.float32)
        weights += g * centred
        if SHIFTED:
            shifts += g
        g *= weight
        d = scale * (g - tl.sum(g, 0) / width - centred * (tl.sum(g * centred, 0) / width))
        if PASSED:
            d += tl.load(gs + at + j, there, 0.0).to(tl.float32)
        tl.store(dx + at + j, d, there)
    tl.store(dw + program * width + j, weights, there)
    if SHIFTED:
        tl.store(db + program * width + j, shifts, there)


@triton.jit
def _geglu_forward(u, out, ff, BLOCK: tl.constexpr):
    row, j = tl.program_id(0).to(tl.int64), tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    there = j < ff
    value = tl.load(u + row * 2 * ff + j, there, 0.0).to(tl.float32)
    gate = tl.load(u + row * 2 * ff + ff + j, there, 0.0).to(tl.float32)
    tl.store(out + row * ff + j, 0.5 * value * (1.0 + tl.erf(value * 0.7071067811865476)) * gate, there)


@triton.jit
def _geglu_backward(u, g, du, ff, BLOCK: tl.constexpr):
    row, j = tl.program_id(0).to(tl.int64), tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    there = j < ff
    value = tl.load(u + row * 2 * ff + j, there, 0.0).to(tl.float32)
    gate = tl.load(u + row * 2 * ff + ff + j, there, 0.0).to(tl.float32)
    grad = tl.load(g + row * ff + j, there, 0.0).to(tl.float32)
    below = 0.5 * (1.0 + tl.erf(value * 0.7071067811865476))
    slope = below + value * 0.3989422804014327 * tl.exp(-0.5 * value * value)
    tl.store(du + row * 2 * ff + j, grad * gate * slope, there)
    tl.store(du + row * 2 * ff + ff + j, grad * value * below, there)


@triton.jit
def _nll_forward(logits, bias, target, lse, nll, size, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    most, total = tl.full((), float("-inf"), tl.float32), tl.zeros((), tl.float32)
    for begin in range(0, size, BLOCK):
        j = begin + tl.arange(0, BLOCK)
        v = tl.load(logits + row * size + j, j < size, float("-inf")).to(tl.float32) + tl.load(bias + j, j < size, 0.0)
        higher = tl.maximum(most, tl.max(v, 0))
        total = total * tl.exp(most - higher) + tl.sum(tl.exp(v - higher), 0)
        most = higher
    whole, right = most + tl.log(total), tl.load(target + row)
    tl.store(lse + row, whole)
    tl.store(nll + row, whole - tl.load(logits + row * size + right).to(tl.float32) - tl.load(bias + right))


@triton.jit
def _nll_backward(logits, bias, target, lse, grad, size, BLOCK: tl.constexpr):
    row, j = tl.program_id(0).to(tl.int64), tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    v = tl.load(logits + row * size + j, j < size, 0.0).to(tl.float32) + tl.load(bias + j, j < size, 0.0)
    p = tl.exp(v - tl.load(lse + row)) - tl.where(j == tl.load(target + row), 1.0, 0.0)
    tl.store(logits + row * size + j, p * tl.load(grad + row), j < size)


@triton.jit
def _turn(qkv, cosines, sines, out, sign, heads, half, HEADS: tl.constexpr, HALF: tl.constexpr):
    token, part = tl.program_id(0).to(tl.int64), tl.program_id(1)
    h, d = tl.arange(0, HEADS)[:, None], tl.arange(0, HALF)[None, :]
    there = (h < heads) & (d < half)
    at = ((token * 3 + part) * heads + h) * 2 * half + d
    a = tl.load(qkv + at, there, 0.0).to(tl.float32)
    b = tl.load(qkv + at + half, there, 0.0).to(tl.float32)
    cos = tl.where(part < 2, tl.load(cosines + token * half + d, d < half, 0.0), 1.0)
    sin = tl.where(part < 2, tl.load(sines + token * half + d, d < half, 0.0) * sign, 0.0)
    tl.store(out + at, a * cos - b * sin, there)
    tl.store(out + at + half, b * cos + a * sin, there)


def norm_forward(
    x: Tensor, a: Tensor | None, w: Tensor, b: Tensor | None, s: Tensor | None, h: Tensor, stats: Tensor,
    rows: int, width: int, eps: float,
) -> None:  # fmt: skip
    block = triton.next_power_of_2(width)
    _norm_forward[(rows,)](x, a, w, b, s, h, stats, width, eps, a is not None, b is not None, block)


def norm_backward(
    s: Tensor, stats: Tensor, w: Tensor, gs: Tensor | None, gh: Tensor, dx: Tensor, dw: Tensor, db: Tensor,
    rows: int, width: int,
) -> None:  # fmt: skip
    """Adds to the first row of dw and db."""
    programs = max(min(PROGRAMS, rows), 1)
    weights, shifts = (torch.zeros(programs, width, device=s.device) for _ in range(2))
    block = triton.next_power_of_2(width)
    _norm_backward[(programs,)](s, stats, w, gs, gh, dx, weights, shifts, rows, width, gs is not None, True, block)
    dw[0] += weights.sum(0)
    db[0] += shifts.sum(0)


def geglu_forward(u: Tensor, out: Tensor, rows: int, ff: int) -> None:
    block = min(triton.next_power_of_2(ff), 1024)
    _geglu_forward[(rows, triton.cdiv(ff, block))](u, out, ff, block)


def geglu_backward(u: Tensor, g: Tensor, du: Tensor, rows: int, ff: int) -> None:
    block = min(triton.next_power_of_2(ff), 1024)
    _geglu_backward[(rows, triton.cdiv(ff, block))](u, g, du, ff, block)


def nll_forward(logits: Tensor, bias: Tensor, target: Tensor, lse: Tensor, nll: Tensor, rows: int, size: int) -> None:
    _nll_forward[(rows,)](logits, bias, target, lse, nll, size, min(triton.next_power_of_2(size), PIECE))


def nll_backward(
    logits: Tensor, bias: Tensor, target: Tensor, lse: Tensor, grad: Tensor, dbias: Tensor, rows: int, size: int
) -> None:
    """Adds to the first row of dbias."""
    block = min(triton.next_power_of_2(size), PIECE)
    _nll_backward[(rows, triton.cdiv(size, block))](logits, bias, target, lse, grad, size, block)
    dbias[0] += logits.sum(0, dtype=torch.float32)


def turn(qkv: Tensor, cosines: Tensor, sines: Tensor, out: Tensor, sign: float) -> None:
    """(T, 3, H, D) queries, keys and values: the first two turned by the angles of each token's position, or back."""
    tokens, _, heads, depth = qkv.shape
    sizes = heads, depth // 2, triton.next_power_of_2(heads), triton.next_power_of_2(depth // 2)
    _turn[(tokens, 3)](qkv, cosines, sines, out, sign, *sizes)
