"""Records of any extent through a net that reads so many tokens at once.

In: the extents of a record's tokens, along every axis of its positions. Out: overlapping windows of them, and for every
token the window where it lies most central. Nothing is ever cut off in silence. Knows nothing of what the net is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from maskwright.tokens import Array, grid


@dataclass(frozen=True)
class Windows:
    tokens: list[Array]
    """Ascending indices into the record's tokens, an array for each window."""
    owner: Array
    """(N,) index of the window that answers for each token."""


def windows(shape: Sequence[int], most: int) -> Windows:
    """Windows of at most `most` tokens, overlapping by half along every axis, spread evenly over the record."""
    extents = np.array([shape], dtype=np.int64)
    total = int(extents.prod())
    if total <= most:
        return Windows([np.arange(total)], np.zeros(total, dtype=np.int64))
    (side,) = grid.sides(extents, most)
    starts = [_starts(extent, int(s)) for extent, s in zip(shape, side, strict=True)]
    found = [_cells(extents, np.array(corner), side) for corner in product(*starts)]
    owner = np.zeros(1, dtype=np.int64)
    for begins, s, extent in zip(starts, side, shape, strict=True):  # a window's number: rows of windows, as of cells
        nearest = _most_central(begins, int(s), np.arange(extent))
        owner = (owner[:, None] * len(begins) + nearest[None]).ravel()
    return Windows(found, owner)


def around(shape: Sequence[int], at: Array, most: int) -> Array:
    """Ascending indices of the window of at most `most` tokens in whose middle the tokens `at` (ascending too) lie."""
    extents = np.array([shape], dtype=np.int64)
    total = int(extents.prod())
    if total <= most:
        return np.arange(total)
    (side,) = grid.sides(extents, most)
    place = np.stack(np.unravel_index(at, shape), axis=1)
    centre = (place.min(0) + place.max(0) + 1) // 2
    return _cells(extents, np.clip(centre - side // 2, 0, extents[0] - side), side)


def _cells(extents: Array, start: Array, side: Array) -> Array:
    return grid.cells(np.zeros(1, dtype=np.int64), extents, start[None], side[None])


def _starts(extent: int, side: int) -> Array:
    count = -(-(extent - side) // max(side // 2, 1)) + 1
    return np.round(np.linspace(0, extent - side, count)).astype(np.int64)


def _most_central(starts: Array, side: int, cell: Array) -> Array:
    centre = starts + (side - 1) / 2
    right = np.searchsorted(centre, cell).clip(0, len(starts) - 1)
    left = (right - 1).clip(0)
    return np.where(np.abs(centre[left] - cell) <= np.abs(centre[right] - cell), left, right)
