"""Rotary positions (Su et al., 2021, "RoFormer", section 3.2.2): each pair of dimensions turns with the position.

In: integer positions of T tokens along P axes, which take turns at the pairs of dimensions, so that each has fast and slow
ones. Out: cosines and sines, and vectors turned by them. Halves are paired (dimension i
with i + D/2), as in GPT-NeoX and ModernBERT.
"""

from __future__ import annotations

import torch
from torch import Tensor


def angles(positions: Tensor, depth: int, base: float) -> tuple[Tensor, Tensor]:
    """(T, P) positions -> cosines and sines, (T, depth / 2) each, fp32."""
    inverse = base ** (-torch.arange(0, depth, 2, device=positions.device, dtype=torch.float32) / depth)
    axis = torch.arange(depth // 2, device=positions.device) % positions.shape[1]
    turn = positions.float()[:, axis] * inverse
    return turn.cos(), turn.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """(T, 2, H, D) queries and keys, turned by the angles of each token's position."""
    cos, sin = cos.to(x.dtype)[:, None, None], sin.to(x.dtype)[:, None, None]
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)
