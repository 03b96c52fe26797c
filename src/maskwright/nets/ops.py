"""What a layer does between its matrix products: norms with the residual sum, GeGLU, GELU with its bias, token vectors, and
the loss over a vocabulary.

In and out: flat tensors, gradients included. Each is one pass over memory where the kernels of `native` are at hand, and
the same in torch's operations where they aren't (another device, no compiler); both agree within rounding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from maskwright.nets import native

BOTH = native.CPU + native.GPU
CHUNK = 2048
"""Rows of logits that the native kernels treat at a time: this bounds memory, whatever the batch."""
FP32_CHUNK = 512
"""Rows of logits that torch's operations treat at a time, which make them fp32 on the way: a chunk stays near the cache."""


def add_norm(x: Tensor, a: Tensor | None, weight: Tensor, shift: Tensor | None, eps: float) -> tuple[Tensor, Tensor]:
    """(T, W) x + a, or x alone, and its layer norm."""
    if native.serves(x, *(() if a is None else (a,)), with_=(weight, shift), on=BOTH):
        out = _AddNorm.apply(x, a, weight, shift, float(eps))  # type: ignore[no-untyped-call]
        return (x, out) if a is None else out
    s = x if a is None else x + a
    return s, F.layer_norm(s, weight.shape, weight.to(x.dtype), None if shift is None else shift.to(x.dtype), eps)


def geglu(u: Tensor) -> Tensor:
    """(T, 2 F) value and gate -> (T, F) gelu(value) * gate (Shazeer, 2020, "GLU variants", equation 6)."""
    if native.serves(u, on=BOTH):
        return _GeGLU.apply(u)  # type: ignore[no-untyped-call]
    value, gate = u.chunk(2, dim=-1)
    return F.gelu(value) * gate


def gelu(u: Tensor, bias: Tensor | None) -> Tensor:
    """(T, F) -> gelu(u + bias)."""
    if native.serves(u, with_=(bias,)):
        return _GELU.apply(u, bias, torch.is_grad_enabled())  # type: ignore[no-untyped-call]
    return F.gelu(u if bias is None else u + bias.to(u.dtype))


def embed_norm(table: Tensor, ids: Tensor, weight: Tensor, eps: float, dtype: torch.dtype) -> Tensor:
    """(T,) ids -> (T, W) their vectors, normed. Done in fp32: a frequent token's gradient is too long a sum for bf16."""
    if dtype in native.PRECISIONS and native.serves(table, with_=(table, weight)):
        _within(ids, len(table))
        return _EmbedNorm.apply(table, ids.contiguous(), weight, float(eps), dtype)  # type: ignore[no-untyped-call]
    return F.layer_norm(F.embedding(ids, table), weight.shape, weight, None, eps).to(dtype)


def choice_nll(features: Tensor, weight: Tensor, bias: Tensor, target: Tensor) -> Tensor:
    """(M,) -log softmax(features @ weight.T + bias)[target] in fp32; the (M, V) logits are never held in fp32."""
    if weight.device.type == "cpu":  # a GPU checks by itself, and asking it would stop it
        _within(target, len(weight))
    return _ChoiceNLL.apply(features, weight, bias, target.contiguous())  # type: ignore[no-untyped-call]


def _within(ids: Tensor, size: int) -> None:
    """What follows reads memory by these."""
    if len(ids) and not (int(ids.min()) >= 0 and int(ids.max()) < size):
        raise IndexError(f"an id outside 0 to {size - 1}")


class _AddNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, a: Tensor | None, weight: Tensor, shift: Tensor | None, eps: float) -> Any:
        rows, width = x.shape
        s = x if a is None else torch.empty_like(x)
        normed, stats = torch.empty_like(x), x.new_empty(rows, 2, dtype=torch.float32)
        native.call("norm_forward", x, x, a, weight, shift, None if a is None else s, normed, stats, rows, width, eps)
        ctx.save_for_backward(s, stats, weight)
        ctx.added, ctx.shifted = a is not None, shift is not None
        ctx.set_materialize_grads(False)
        return normed if a is None else (s, normed)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        s, stats, weight = ctx.saved_tensors
        (rows, width), parts = s.shape, torch.get_num_threads()
        around = grads[0].contiguous() if ctx.added and grads[0] is not None else None
        through = torch.zeros_like(s) if grads[-1] is None else grads[-1].contiguous()
        dx = torch.empty_like(s)
        dweight, dshift = weight.new_zeros(parts, width), weight.new_zeros(parts, width)
        native.call("norm_backward", s, s, stats, weight, around, through, dx, dweight, dshift, rows, width)
        return dx, dx if ctx.added else None, dweight.sum(0), dshift.sum(0) if ctx.shifted else None, None


class _GeGLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, u: Tensor) -> Tensor:
        rows, ff = len(u), u.shape[1] // 2
        out = u.new_empty(rows, ff)
        native.call("geglu_forward", u, u, out, rows, ff)
        ctx.save_for_backward(u)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (u,) = ctx.saved_tensors
        du = torch.empty_like(u)
        native.call("geglu_backward", u, u, grads[0].contiguous(), du, len(u), u.shape[1] // 2)
        return du


class _GELU(torch.autograd.Function):
    """Keeps the slope in place of what it read, so that the way back is a product."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, bias: Tensor | None, learning: bool) -> Tensor:
        out = torch.empty_like(u)
        slope = torch.empty_like(u) if learning else None
        native.call("gelu_forward", u, u, bias, out, slope, *u.shape)
        ctx.save_for_backward(slope)
        ctx.biased = bias is not None
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (slope,) = ctx.saved_tensors
        du, dbias = torch.empty_like(slope), slope.new_zeros(torch.get_num_threads(), slope.shape[1], dtype=torch.float32)
        native.call("gelu_backward", slope, slope, grads[0].contiguous(), du, dbias, *slope.shape)
        return du, dbias.sum(0) if ctx.biased else None, None


class _EmbedNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, ids: Tensor, weight: Tensor, eps: float, dtype: torch.dtype) -> Tensor:
        rows, width = len(ids), table.shape[1]
        out = table.new_empty(rows, width, dtype=dtype)
        stats = table.new_empty(rows, 2)
        native.call("embed_forward", out, table, ids, weight, out, stats, rows, width, eps)
        ctx.save_for_backward(table, ids, weight, stats)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        table, ids, weight, stats = ctx.saved_tensors
        grad, (rows, width) = grads[0].contiguous(), (len(ids), table.shape[1])
        dtable, dweight = torch.zeros_like(table), weight.new_zeros(torch.get_num_threads(), width)
        native.call("embed_backward", grad, table, ids, stats, weight, grad, dtable, dweight, rows, width)
        return dtable, None, dweight.sum(0), None, None


class _ChoiceNLL(torch.autograd.Function):
    """Logits are kept in the precision of the features, and become their own gradients in place."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, target: Tensor) -> Tensor:
        w = weight.to(x.dtype)
        nll, lse = (torch.empty(len(x), dtype=torch.float32, device=x.device) for _ in range(2))
        ctx.native = native.serves(x, w, with_=(bias,), on=BOTH)
        ctx.chunk = CHUNK if ctx.native else FP32_CHUNK
        kept = []
        for start in range(0, len(x), ctx.chunk):
            part = slice(start, start + ctx.chunk)
            logits = F.linear(x[part], w)
            if ctx.native:
                native.call("nll_forward", x, logits, bias, target[part], lse[part], nll[part], *logits.shape)
            else:
                full = bias + logits  # never in place: in fp32 these are the logits that are kept
                lse[part] = torch.logsumexp(full, dim=-1)
                nll[part] = lse[part] - full.gather(1, target[part, None])[:, 0]
            kept.append(logits)
        ctx.save_for_backward(x, w, bias, target, lse)
        ctx.kept = kept if any(ctx.needs_input_grad) else None
        return nll

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, w, bias, target, lse = ctx.saved_tensors
        grad = grads[0].contiguous()
        grad_x = torch.empty_like(x)
        grad_w = torch.zeros(w.shape, dtype=torch.float32, device=x.device) if len(ctx.kept) > 1 else None
        parts = torch.get_num_threads() if ctx.native else 1
        grad_bias = torch.zeros(parts, len(bias), device=x.device)
        for i, p in enumerate(ctx.kept):
            part = slice(i * ctx.chunk, i * ctx.chunk + len(p))
            if ctx.native:
                native.call("nll_backward", x, p, bias, target[part], lse[part], grad[part], grad_bias, *p.shape)
            else:
                full = (bias + p).sub_(lse[part, None]).exp_().mul_(grad[part, None])
                full.scatter_add_(1, target[part, None], -grad[part, None])
                grad_bias[0] += full.sum(0)
                p = full.to(x.dtype)
            torch.mm(p, w, out=grad_x[part])
            own = p.T @ x[part]
            grad_w = own.float() if grad_w is None else grad_w.add_(own)
            ctx.kept[i] = None  # its memory serves the next one
        return grad_x, grad_w, grad_bias.sum(0), None
