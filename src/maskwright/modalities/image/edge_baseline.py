"""What simple rules know of a hidden patch: how often levels occur, and what stands at the edges of the patches beside it.
The floors that a model of pictures must beat.

In: patches of pixels in a batch, what is hidden. Out: nats of what stands at the targets. By frequency: of every value, how
often its level was seen. By neighbours: of every value, how far it lies from a mean of the nearest pixels across the patch's
four edges, the nearer the heavier, counted by distance on training pictures. Knows nothing of nets.

Legend: M targets, p pixels a side, C channels, L levels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maskwright.tokens import Array, Batch, Mask

MOST_PATCHES = 20_000
"""The most patches that are counted."""
BINS = 256
"""The most bins that levels are counted in; the probability of a bin is spread evenly over its levels."""


@dataclass(frozen=True)
class EdgeBaseline:
    side: int
    channels: int
    levels: int
    frequency: Array
    """(C, bins) probabilities of the levels' bins, for each channel."""
    apart: Array
    """(p + 1, 2 bins - 1) probabilities of a value's distance from its guess, in bins, a row for each distance of the
    nearest visible pixel; the last row is for where nothing is visible."""

    @classmethod
    def of(cls, batch: Batch, mask: Mask, side: int, channels: int, levels: int) -> EdgeBaseline:
        """Counted at the targets of a mask over training pictures."""
        bins = min(levels, BINS)
        values, known = _targets(batch, mask, side, channels)
        binned = values * bins // levels
        frequency = np.stack([
            np.bincount(binned[..., c][known], minlength=bins) + 0.5 for c in range(channels)
        ])  # fmt: skip
        frequency /= frequency.sum(1, keepdims=True)
        made = cls(side, channels, levels, frequency, np.zeros(0))
        guess, near = made._guessed(batch, mask)
        apart = np.full((side + 1, 2 * bins - 1), 0.05)
        shown = np.broadcast_to(known[..., None], values.shape)
        at = np.broadcast_to(near[..., None], values.shape)[shown]
        np.add.at(apart, (at, (binned - guess)[shown] + bins - 1), 1)
        return cls(side, channels, levels, frequency, apart / apart.sum(1, keepdims=True))

    def frequency_nats(self, batch: Batch, mask: Mask) -> Array:
        values, known = _targets(batch, mask, self.side, self.channels)
        bins = self.frequency.shape[1]
        p = self.frequency[np.arange(self.channels), values * bins // self.levels]
        nats = np.log(self.levels / bins) - np.log(p)
        return np.asarray((nats * known[..., None]).sum((1, 2, 3)))

    def neighbour_nats(self, batch: Batch, mask: Mask) -> Array:
        values, known = _targets(batch, mask, self.side, self.channels)
        bins = self.frequency.shape[1]
        guess, near = self._guessed(batch, mask)
        # What a guess can't be apart from, since levels end, is left out, and the rest sums to one.
        summed = np.concatenate([np.zeros((len(self.apart), 1)), self.apart.cumsum(1)], axis=1)
        row = np.broadcast_to(near[..., None], guess.shape)
        whole = summed[row, 2 * bins - 1 - guess] - summed[row, bins - 1 - guess]
        p = self.apart[row, values * bins // self.levels - guess + bins - 1] / whole
        nats = np.log(self.levels / bins) - np.log(p)
        return np.asarray((nats * known[..., None]).sum((1, 2, 3)))

    def _guessed(self, batch: Batch, mask: Mask) -> tuple[Array, Array]:
        """(M, p, p, C) the bin guessed for every value; (M, p, p) how far the nearest visible pixel is, from 0; p: none."""
        p, bins = self.side, self.frequency.shape[1]
        pixels = batch.values["pixels"].reshape(-1, p, p, self.channels).astype(np.float64)
        known = batch.values["known"].reshape(-1, p, p)
        away = np.arange(p)
        ahead, behind = (p - 1 - away).astype(float), away.astype(float)
        total = np.zeros((len(mask.target), p, p, self.channels))
        weight, near = np.zeros(total.shape[:3]), np.full(total.shape[:3], p)
        middle = (self.frequency * (np.arange(bins) + 0.5)).sum(1) * self.levels / bins
        for step, line, distance in (
            ((-1, 0), (slice(None), p - 1), behind[:, None]), ((1, 0), (slice(None), 0), ahead[:, None]),
            ((0, -1), (slice(None), slice(None), p - 1), behind[None]), ((0, 1), (slice(None), slice(None), 0), ahead[None]),
        ):  # fmt: skip
            beside, there = _beside(batch, mask, step)
            axis = 1 if step[0] else 2  # the edge is one line, the same for every row (column) of the patch
            edge = np.expand_dims(pixels[beside][line], axis)
            seen = np.expand_dims((known[beside][line]) & there[:, None], axis)
            w = seen / (distance + 1.0)
            total += edge * w[..., None]
            weight += w
            near = np.minimum(near, np.where(seen, np.broadcast_to(distance, (p, p)).astype(np.int64), p))
        mean = np.where(weight[..., None] > 0, total / np.maximum(weight, 1e-9)[..., None], middle)
        return (mean * bins / self.levels).astype(np.int64).clip(0, bins - 1), near


def _targets(batch: Batch, mask: Mask, side: int, channels: int) -> tuple[Array, Array]:
    """(M, p, p, C) levels and (M, p, p) which are known."""
    values = batch.values["pixels"][mask.target].reshape(-1, side, side, channels).astype(np.int64)
    return values, batch.values["known"][mask.target].reshape(-1, side, side)


def _beside(batch: Batch, mask: Mask, step: tuple[int, int]) -> tuple[Array, Array]:
    """The token that lies a step away from each target, and whether there is one that can be seen."""
    place, record = batch.positions, batch.record
    columns = np.zeros(len(batch.keys), dtype=np.int64)
    np.maximum.at(columns, record, place[:, 1] + 1)
    at = mask.target
    moved = place[at] + np.array(step)
    index = at + step[0] * columns[record[at]] + step[1]
    inside = (moved >= 0).all(1) & (moved[:, 1] < columns[record[at]]) & (index < batch.cu_seqlens[1:][record[at]])
    index = np.where(inside, index, 0)
    return index, inside & ~mask.hidden[index] & batch.present[index]
