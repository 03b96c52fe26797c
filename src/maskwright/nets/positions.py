"""Positions, as a net reads them: turns of queries and keys, or vectors that are added.

In: integer positions of T tokens along P axes. Out: for rotary positions (Su et al., 2021, "RoFormer", section 3.2.2)
cosines and sines, and vectors turned by them: each pair of dimensions turns with the position along one axis, and the axes
take turns at the pairs, so that each has fast and slow ones. Halves are paired (dimension i with i + D/2), as in GPT-NeoX
and ModernBERT. For fixed positions on a square grid (He et al., 2022) a vector for each place.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

LONGEST_WAVE = 10_000.0
"""The longest wave of fixed positions, in turns of 2 pi places (Vaswani et al., 2017, section 3.5)."""


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


class Grid(nn.Module):
    """Fixed vectors for the places of a square grid, row by row, and one for the frame: sines and cosines of the column fill
    the first half of the dimensions, those of the row the second, and the frame's are zero, as in ViT-MAE. Kept with the
    weights, since checkpoints of others bring tables of their own; never trained."""

    table: Tensor

    def __init__(self, side: int, width: int) -> None:
        super().__init__()
        self.side = side
        rate = LONGEST_WAVE ** (-torch.arange(width // 4, dtype=torch.float64) / (width // 4))
        wave = torch.outer(torch.arange(side, dtype=torch.float64), rate)
        axis = torch.cat((wave.sin(), wave.cos()), dim=1)
        column, row = axis.repeat(side, 1), axis.repeat_interleave(side, dim=0)
        table = torch.cat((column, row), dim=1).float()
        self.register_buffer("table", torch.cat((torch.zeros(1, width), table))[None])

    def forward(self, positions: Tensor, kind: Tensor) -> Tensor:
        """(T, 2) rows and columns, (T,) 0, or 1 for the frame -> (T, W)."""
        row = 1 + positions[:, 0] * self.side + positions[:, 1]
        return self.table[0, torch.where(kind == 0, row, 0)]
