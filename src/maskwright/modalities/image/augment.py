"""Other views of a picture, for training: its patches cut from another place.

In: patches of pictures end to end, and which of their pixels are known. Out: the same, of the same extents, moved by less
than a patch towards the first corner. What falls off there is lost, what comes in at the far edges is not known, as beyond
any picture's edge. Knows nothing of models.

Legend: n pictures, N patches of all, p pixels a side of a patch.
"""

from __future__ import annotations

import numpy as np

from maskwright.tokens import Array


def shifted(patches: Array, known: Array, sizes: Array, chance: Array) -> tuple[Array, Array]:
    """(N, p, p, channels) and (N, p, p) -> the same. `sizes` (n, 2): rows and columns of patches; `chance` (n, 2) in [0, 1):
    how far down and to the right the first pixel lies that stays."""
    out, shown = np.zeros_like(patches), np.zeros_like(known)
    first = 0
    for extents, (down, right) in zip(sizes, chance, strict=True):
        part = slice(first, first + extents.prod())
        first = part.stop
        pixels, there = whole(patches[part], *extents), whole(known[part], *extents)
        y, x = (int(c * _room(there, axis, patches.shape[1])) for axis, c in ((0, down), (1, right)))
        height, width = there.shape
        out[part] = cut(np.pad(pixels[y:height, x:width], ((0, y), (0, x), (0, 0))), patches.shape[1])
        shown[part] = cut(np.pad(there[y:height, x:width], ((0, y), (0, x))), patches.shape[1])
    return out, shown


def _room(known: Array, axis: int, p: int) -> int:
    """How far it may move, and every row or column of patches keeps some of its pixels."""
    last = _edge(known, axis) - known.shape[axis] + p
    return max(last, 1) if known.shape[axis] > p else 1


def _edge(known: Array, axis: int) -> int:
    """One past the last row, or column, where anything is known."""
    there = np.flatnonzero(known.any(axis=1 - axis))
    return int(there[-1]) + 1 if len(there) else known.shape[axis]


def whole(patches: Array, rows: int, columns: int) -> Array:
    """(rows * columns, p, p, ...) -> (rows * p, columns * p, ...), a copy."""
    p = patches.shape[1]
    grid = patches.reshape(rows, columns, p, p, *patches.shape[3:]).swapaxes(1, 2)
    return grid.reshape(rows * p, columns * p, *patches.shape[3:]).copy()


def cut(pixels: Array, p: int) -> Array:
    """The way back of `whole`."""
    rows, columns = pixels.shape[0] // p, pixels.shape[1] // p
    grid = pixels.reshape(rows, p, columns, p, *pixels.shape[2:]).swapaxes(1, 2)
    return grid.reshape(rows * columns, p, p, *pixels.shape[2:])
