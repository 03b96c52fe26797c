"""Cells of a grid shared out among classes, so that those of one class lie far apart in every direction.

In: a grid's extents, a number of classes. Out: a step along each axis; a cell belongs to the class that its places times the
steps come to, modulo the classes (a lattice of rank one, its steps powers of one number: Korobov, 1963; the number found by
trying all, as in spectral tests: Knuth, The Art of Computer Programming, volume 2, 3.3.4). Knows nothing of what stands in a
cell.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np


@lru_cache(maxsize=4096)
def steps(extents: tuple[int, ...], classes: int) -> tuple[int, ...]:
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
