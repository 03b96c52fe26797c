"""Where a fresh net begins: two heads of its first layer already read the neighbours of every token.

In: an encoder with rotary positions, and the value that dimension 0 has in every vector that it reads. Out: the same
encoder, whose first heads look one token ahead and one behind, whatever stands there. A net finds these heads by itself, but
a run of minutes spends a good part of its time on that (LOG.md#neighbour-heads).
"""

from __future__ import annotations

import torch
from torch import Tensor

from maskwright.nets.encoder import Encoder

DISTANCES = (1, -1)
SHARPNESS = 5.0
"""The difference of attention scores by which a neighbour gets e^5 times the weight of the token beside it."""
SLOWEST = 0.05
"""The slowest turn, in radians a token, of the pairs of dimensions that are used: slower ones don't tell neighbours
apart."""


@torch.no_grad()
def set_neighbour_heads(encoder: Encoder, constant: float) -> None:
    """Queries and keys of those heads are made of dimension 0 alone, so that only positions tell them apart."""
    config = encoder.config
    depth = config.width // config.heads
    weight: Tensor = encoder.get_parameter("layers.0.attn.Wqkv.weight")
    first = weight.view(3, config.heads, depth, config.width)
    for head, distance in zip(range(config.heads), DISTANCES, strict=False):
        first[:2, head] = 0
        first[0, head, :, 0], first[1, head, :, 0] = (v / constant for v in peak(depth, config.rope_global, distance))


def peak(depth: int, base: float, distance: int) -> tuple[Tensor, Tensor]:
    """(depth,) a query and a key. Turned by positions i and j (`positions.rotate`) and scaled by depth^-1/2, their product
    is a sum of cos(angle * (j - i - distance)) over the pairs of dimensions that turn fast enough, and falls by SHARPNESS
    from its peak to the token beside it."""
    half = depth // 2
    angle = base ** (-torch.arange(half) / half)
    fast = angle > SLOWEST
    size = fast * (SHARPNESS * depth**0.5 / (fast * (1 - angle.cos())).sum()) ** 0.5
    query = torch.cat((size * torch.cos(angle * distance), size * torch.sin(angle * distance)))
    return query, torch.cat((size, torch.zeros(half)))
