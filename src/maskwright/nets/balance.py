"""Two tasks that learn from the same vectors: the second moves them as much as the first, no more.

In: vectors (M, W). Out: the same for either task; on the way back the second's gradient is brought to the length that the
first's has over all of them, and both are added up. Any fixed weight makes the second hardly felt on some data and all that
counts on other (as in GradNorm: Chen et al., 2018, section 3, which learns weights to the same end). Knows no task; of
several processes each balances its own vectors.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

SMALLEST, MOST = 1e-20, 1000.0
"""lengths of gradients are far above the first; the second's grows at most by so much, when next to nothing of it is left"""


def balanced(x: Tensor) -> tuple[Tensor, Tensor]:
    """(M, W) for the first task and for the second."""
    return _Balanced.apply(x)  # type: ignore[no-untyped-call]


class _Balanced(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        return x.view_as(x), x.view_as(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> Tensor | None:
        first, second = grads
        if first is None or second is None:
            return second if first is None else first
        return first + second * (first.norm() / second.norm().clamp(min=SMALLEST)).clamp(max=MOST)
