"""What counting knows of pictures, as a modality's part: floors from frequencies and edges, and a net that starts at means.

In: token shards of training pictures. Out: floors, and a net whose every value begins at its channel's mean, as wide as its
channel spreads. What is counted is said in `edge_baseline.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from maskwright.modalities.base import Floor
from maskwright.modalities.image.edge_baseline import MOST_PATCHES, EdgeBaseline
from maskwright.nets.heads.pixels import placed
from maskwright.tokens import Array, Batch, grid
from maskwright.tokens.masking import at_random

Unpack = Callable[[dict[str, Array], Array, Array], Batch]
"""The type of `Modality.unpack`: (columns, sizes, keys) -> a batch."""


class ImageBaseline:
    """For patches of `patch` pixels a side, of so many channels and levels."""

    def __init__(self, patch: int, channels: int, levels: int, unpack: Unpack) -> None:
        self.patch, self.channels, self.levels, self.unpack = patch, channels, levels, unpack

    def floors(self, shards: Any, train: Array) -> dict[str, Floor]:
        sizes = grid.sides(shards.shapes[train], MOST_PATCHES // 20)  # of large pictures the middle
        every = max(1, -(-int(sizes.prod(axis=1).sum()) // MOST_PATCHES))
        chosen, sizes = train[::every], sizes[::every]
        corners = (shards.shapes[chosen] - sizes) // 2
        batch = self.unpack(shards.pieces(chosen, corners, sizes), sizes, shards.keys[chosen])
        counted = EdgeBaseline.of(batch, at_random(batch, 0.15, 1), self.patch, self.channels, self.levels)
        return {"frequency": counted.frequency_nats, "neighbours": counted.neighbour_nats}

    def start(self, net: Any, shards: Any, train: Array) -> None:
        pixels = self.patch**2
        flat, _ = shards.column("pixels", train, MOST_PATCHES)
        bits, _ = shards.column("known", train, MOST_PATCHES)
        known = np.unpackbits(bits, axis=1, count=pixels).astype(bool)[:MOST_PATCHES].ravel()
        values = flat[:MOST_PATCHES].reshape(-1, self.channels)[known].astype(np.int32)
        level = placed(torch.from_numpy(values), self.levels)
        if len(level) < 2:
            return
        spread = (level.std(0) * math.sqrt(3) / math.pi).clamp(min=0.02).log()
        with torch.no_grad():
            net.head.begin(level.mean(0).repeat(pixels), spread.repeat(pixels))
