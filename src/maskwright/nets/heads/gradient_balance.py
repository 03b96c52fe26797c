"""Two tasks that learn from the same vectors: the second moves them so many times as much as the first, whatever the data.

In: vectors (M, W). Out: the same for either task; on the way back the second's gradient is brought to so many times the
length that the first's has over all of them, and both are added up. Any fixed weight makes the second hardly felt on some
data and all that counts on other (as in GradNorm: Chen et al., 2018, section 3, which learns weights to the same end).
Knows no task; of several processes each balances its own vectors.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

SMALLEST, MOST = 1e-20, 1000.0
"""The least length that a gradient is divided by, far below those that occur; and the most that the second task's gradient
is multiplied by, when next to nothing of it is left."""


def balanced_gradients(x: Tensor, times: float) -> tuple[Tensor, Tensor]:
    """(M, W) for the first task and for the second, whose gradient is to be `times` as long."""
    return _Balanced.apply(x, times)  # type: ignore[no-untyped-call]


class _Balanced(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, times: float) -> tuple[Tensor, Tensor]:
        ctx.times = times
        ctx.set_materialize_grads(False)
        return x.view_as(x), x.view_as(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, None]:
        first, second = grads
        if first is None or second is None:
            return second if first is None else first, None
        length = ctx.times * first.norm() / second.norm().clamp(min=SMALLEST)
        return first + second * length.clamp(max=MOST), None
