"""Outlines of patches: histograms of oriented gradients (Dalal and Triggs, 2005), to be learned in addition to their pixels.

In: patches (M, D) of D values from -1 to 1, row by row, channels last, and which pixels are known. Out: (M, OUTLINES), of
length 1 but where a patch is nearly flat, whether it is light or dark, and has much contrast or some. Nets that were asked
for them of hidden patches tell shapes apart with fewer labels (Wei et al., 2022, "Masked feature prediction", section 3.2).
Knows no net.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

CELLS, BINS = 2, 9
"""Cells along each side of a patch; and bins of orientation over half a turn: an edge from dark to light counts as one from
light to dark."""
HOG_SIZE = CELLS**2 * BINS
FAINT = 0.04
"""The length at which a histogram is halved, that of a slope of 2.5 in 256 levels a pixel: less may be noise."""
FIRST, MID, LAST = slice(None, -2), slice(1, -1), slice(2, None)
"""Of a row that is padded by a pixel at either end: the pixels before each of its own, its own, and those after."""


@torch.no_grad()
def hog(values: Tensor, known: Tensor) -> Tensor:
    """Those of the mean over channels. `known`: (M, D / C) bool; a pixel's change counts where its neighbours are known too,
    or lie outside of the patch."""
    count, pixels = known.shape
    side = math.isqrt(pixels)
    grey = values.view(count, pixels, values.shape[1] // pixels).mean(2).view(count, 1, side, side)
    x, sure = (F.pad(part, (1, 1, 1, 1), mode="replicate")[:, 0] for part in (grey, known.view(grey.shape).float()))
    upper, lower, left, right, own = (
        (..., *at) for at in ((FIRST, MID), (LAST, MID), (MID, FIRST), (MID, LAST), (MID, MID))
    )
    down, across = x[lower] - x[upper], x[right] - x[left]
    down[:, [0, -1]] *= 2  # at a side the step is half as long
    across[:, :, [0, -1]] *= 2
    change = (torch.hypot(down, across) / 2 * sure[own] * sure[upper] * sure[lower] * sure[left] * sure[right]).flatten(1)
    turn = (torch.atan2(down, across) / math.pi % 1.0 * BINS).flatten(1)
    before = turn.floor().clamp(max=BINS - 1)
    share, along = turn - before, torch.arange(side, device=values.device) * CELLS // side
    # A bin more, to be laid over the first.
    index = (along[:, None] * CELLS + along).flatten() * (BINS + 1) + before.long()
    bins = change.new_zeros(count, CELLS**2 * (BINS + 1))
    bins.scatter_add_(1, index, change * (1 - share)).scatter_add_(1, index + 1, change * share)
    cells = bins.view(count, CELLS**2, BINS + 1) * (CELLS**2 / known.sum(1).clamp(min=1))[:, None, None]
    cells[..., 0] += cells[..., BINS]
    out = cells[..., :BINS].flatten(1)
    return out / (out.norm(dim=1, keepdim=True) + FAINT)
