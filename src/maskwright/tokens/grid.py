"""Boxes in grids of any number of axes: a stretch of a text, a rectangle of a picture.

In: the extents of grids, whose cells lie row by row. Out: boxes that hold at most so many cells, and which cells those are.
Knows nothing of what stands in a cell.

Legend: n boxes or grids, P axes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def sides(shapes: Array, most: int) -> Array:
    """(n, P) extents of grids -> (n, P) sides of a box in each: at most `most` cells, as near to a cube as the grid lets it,
    at least one cell a side."""
    order = np.argsort(shapes, axis=1, kind="stable")
    extents, out = np.take_along_axis(shapes, order, axis=1), np.empty_like(shapes)
    room = np.full(len(shapes), max(most, 1), dtype=np.int64)
    for i in range(shapes.shape[1]):  # what a short axis doesn't need is left to the longer ones
        equal = np.floor(room ** (1 / (shapes.shape[1] - i)) + 1e-9).astype(np.int64)
        out[:, i] = np.minimum(extents[:, i], equal).clip(1)
        room //= out[:, i]
    sides = np.empty_like(out)
    np.put_along_axis(sides, order, out, axis=1)
    return sides


def cells(first: Array, shapes: Array, starts: Array, sizes: Array) -> Array:
    """The cells of n boxes, end to end, each box row by row. `first` (n,) is the number of each grid's first cell; the grid
    has the extents `shapes`, the box its corner at `starts`, its sides are `sizes`, (n, P) each."""
    count = sizes.prod(axis=1)
    owner = np.repeat(np.arange(len(count)), count)
    rest = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    out, stride = first[owner], np.ones(len(count), dtype=np.int64)
    for axis in reversed(range(shapes.shape[1])):
        rest, at = np.divmod(rest, sizes[owner, axis])
        out = out + (starts[owner, axis] + at) * stride[owner]
        stride = stride * shapes[:, axis]
    return out


def places(sizes: Array) -> Array:
    """(T, P) where each cell of n boxes lies in its box; the boxes end to end."""
    count = sizes.prod(axis=1)
    owner = np.repeat(np.arange(len(count)), count)
    rest = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    out = np.empty((len(owner), sizes.shape[1]), dtype=np.int64)
    for axis in reversed(range(sizes.shape[1])):
        rest, out[:, axis] = np.divmod(rest, sizes[owner, axis])
    return out


@lru_cache(maxsize=4096)
def lattice_steps(extents: tuple[int, ...], classes: int) -> tuple[int, ...]:
    """(P,) for a grid of P axes: no rule of this kind has the nearest two cells of a class further apart."""
    axes = len(extents)
    reach = [np.arange(1 - min(n, classes), min(n, classes)) for n in extents]
    apart = np.stack(np.meshgrid(*reach, indexing="ij"), axis=-1).reshape(-1, axes)
    apart = apart[apart.any(axis=1)]
    distance = (apart**2).sum(axis=1).astype(np.float64)
    best, found = -1.0, (1,) * axes
    for k in range(classes if axes > 1 else 1):
        tried = tuple(pow(k, axes - 1 - axis, classes) for axis in range(axes))
        nearest = float(distance[apart @ tried % classes == 0].min(initial=np.inf))
        if nearest > best:
            best, found = nearest, tried
    return found
