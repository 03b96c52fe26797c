"""Logistics over recorded levels: what a level costs, how surprising it was, and products with a chain of values.

In: values x (M, D) from -1 to 1 at L levels, means and log scales of as many logistics, which are known. Out: tensors of the
same shape, gradients included, for everything but x and `known`. The kernels of `native` do it in one pass where they are at
hand; elsewhere torch's operations do the same, within rounding.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from maskwright.nets import native

SPREAD = 1e-6
"""The share of every probability that is spread evenly over all levels, so that nothing is impossible."""
BLOCK = 64
"""The fewest values of a chain that are multiplied at once."""


def nats(x: Tensor, mean: Tensor, log_scale: Tensor, known: Tensor, levels: int) -> Tensor:
    """-log of each value's probability: its logistic's, cut at the levels, of which the ends reach to infinity (Salimans et
    al., 2017, "PixelCNN++", section 2.1). Zero where it isn't known."""
    half, rest, even = 1 / (levels - 1), math.log1p(-SPREAD), math.log(SPREAD / levels)
    if _served(x, mean, log_scale, known):
        return _ByKernel.apply("cut_logistic", x, mean, log_scale, known, half, rest, even)  # type: ignore[no-untyped-call]
    scale = log_scale.exp()
    above, below = (x + half - mean) / scale, (x - half - mean) / scale
    # log of sigmoid(above) - sigmoid(below)
    inside = F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(-2 * half / scale))
    log_p = torch.where(x <= -1 + half, F.logsigmoid(above), torch.where(x >= 1 - half, F.logsigmoid(-below), inside))
    return -torch.logaddexp(log_p + rest, torch.full_like(log_p, even)) * known


def surprise(x: Tensor, mean: Tensor, log_scale: Tensor, known: Tensor) -> Tensor:
    """How far a value is from its mean, in widths of its logistic, on a scale that large ones don't burst. Zero where it
    isn't known."""
    if _served(x, mean, log_scale, known):
        return _ByKernel.apply("surprise", x, mean, log_scale, known)  # type: ignore[no-untyped-call]
    return torch.log1p((x - mean).abs() * (-log_scale).exp()) * known


def _served(x: Tensor, mean: Tensor, log_scale: Tensor, known: Tensor) -> bool:
    """Whether the kernels can read these: one shape, dense, fp32 and bool."""
    alike = x.shape == mean.shape == log_scale.shape == known.shape and known.is_contiguous()
    kinds = x.dtype == torch.float32 and known.dtype == torch.bool
    return alike and kinds and native.serves(x, mean, log_scale)


def chained(x: Tensor, weight: Tensor) -> Tensor:
    """(M, D) x weight.T, for a weight (D, D) that is zero but below its diagonal: what is above is not multiplied."""
    return _Chained.apply(x, weight)  # type: ignore[no-untyped-call]


class _ByKernel(torch.autograd.Function):
    """A kernel that gives values and, where somebody will ask for them, their gradients."""

    @staticmethod
    def forward(ctx: Any, name: str, x: Tensor, mean: Tensor, log_scale: Tensor, known: Tensor, *numbers: float) -> Tensor:
        out = torch.empty_like(x)
        made = [torch.empty_like(x) for _ in range(2)] if any(ctx.needs_input_grad) else [None, None]
        native.call(name, x, x, mean, log_scale, known, out, *made, x.numel(), *numbers)
        ctx.save_for_backward(*made)
        ctx.numbers = len(numbers)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        dmean, dscale = ctx.saved_tensors
        return None, None, dmean * grads[0], dscale * grads[0], None, *(None for _ in range(ctx.numbers))


class _Chained(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        out = torch.empty_like(x)
        for part in _parts(x.shape[1]):
            torch.mm(x[:, : part.stop], weight[part, : part.stop].T, out=out[:, part])
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        grad, dx, dweight = grads[0], torch.empty_like(x), torch.zeros_like(weight)
        for part in _parts(x.shape[1]):
            torch.mm(grad[:, part.start :], weight[part.start :, part], out=dx[:, part])
            torch.mm(grad[:, part].T, x[:, : part.stop], out=dweight[part, : part.stop])
        return dx, dweight


def _parts(values: int) -> list[slice]:
    count = max(values // BLOCK, 1)
    return [slice(values * i // count, values * (i + 1) // count) for i in range(count)]
