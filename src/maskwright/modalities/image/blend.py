"""What was filled joined to what stands around it: no steps at the edges of patches, or of the hole.

In: levels of a picture, which of them were filled, the side of a patch. Out: the same with the filled ones moved, as little
as may be. Inside a patch what was filled keeps its own slopes; across an edge the slopes of both sides are carried on; and a
weak pull holds every value where it was (least squares on differences, as in Pérez et al., 2003, "Poisson image editing",
section 2). Solved by conjugate gradients. Knows nothing of models.

Legend: H rows, W columns, C channels.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from maskwright.tokens import Array

PULL, ROUNDS, ENOUGH = 0.01, 80, 0.005
"""Weight of the pull towards the filled values, where every difference weighs one; the most steps of the solver; and the
residual at which it may stop, in levels of 256: against the pull alone that is half a level."""


def blended(levels: Array, filled: Array, patch: int, most: int) -> Array:
    """(H, W, C) levels up to `most` and (H, W) which were filled -> (H, W, C), those blended."""
    if filled.all() or not filled.any():
        return levels
    moved = levels.copy()
    for top, bottom, left, right in _apart(filled, patch + 8):
        box = (slice(max(top - 2, 0) // patch * patch, bottom + 2), slice(max(left - 2, 0) // patch * patch, right + 2))
        inside, part = filled[box], levels[box].astype(np.float32)
        change = _change(part, inside, patch, ENOUGH * most / 255)
        moved[box] = np.where(inside[..., None], (part + change).round().clip(0, most), levels[box]).astype(levels.dtype)
    return moved


def _apart(filled: Array, gap: int) -> Iterator[tuple[int, int, int, int]]:
    """Top, bottom, left and right of boxes that hold all that was filled, parted wherever so many rows or columns are free
    of it (recursive X-Y cuts: Nagy and Seth, 1984)."""
    bands = [_bands(np.asarray(filled.any(axis=1 - axis)), gap) for axis in (0, 1)]
    for top, bottom in bands[0]:
        for left, right in bands[1]:
            part = filled[top:bottom, left:right]
            if len(bands[0]) * len(bands[1]) == 1:
                yield top, bottom, left, right
            elif part.any():
                yield from ((a + top, b + top, c + left, d + left) for a, b, c, d in _apart(part, gap))


def _bands(there: Array, gap: int) -> list[tuple[int, int]]:
    at = np.flatnonzero(there)
    ends = np.flatnonzero(np.diff(at) > gap)
    return [(int(at[a]), int(at[b]) + 1) for a, b in zip([0, *ends + 1], [*ends, len(at) - 1], strict=True)]


def _change(part: Array, inside: Array, patch: int, enough: float) -> Array:
    """What is added to the filled values: zero elsewhere."""
    free = inside[..., None].astype(np.float32)
    pairs = [_pairs(part, inside, patch, axis) for axis in (0, 1)]

    def normal(x: Array) -> Array:
        """The normal equations' product with changes x, which are zero where nothing may change."""
        out = PULL * x
        for axis, (weight, _) in enumerate(pairs):
            step = weight * np.diff(x, axis=axis)
            out += _spread(step, axis)
        return np.asarray(out * free)

    wanted = sum(_spread(weight * apart, axis) for axis, (weight, apart) in enumerate(pairs)) * free
    x: Array = np.zeros_like(part)
    rest: Array = wanted
    way, size = rest, float((rest**2).sum())
    for _ in range(ROUNDS):
        if np.abs(rest).max() < enough:
            break
        turned = normal(way)
        length = size / float((way * turned).sum())
        x, rest = x + length * way, rest - length * turned
        before, size = size, float((rest**2).sum())
        way = rest + size / before * way
    return x


def _pairs(part: Array, inside: Array, patch: int, axis: int) -> tuple[Array, Array]:
    """Of all neighbours along an axis: their weight, and by how much the change should rise from one to the other."""
    one, other = (np.take(inside, range(begin, inside.shape[axis] - 1 + begin), axis) for begin in (0, 1))
    step = np.diff(part, axis=axis)
    behind, ahead = np.roll(step, 1, axis), np.roll(step, -1, axis)
    last = [slice(None)] * 3
    last[axis] = slice(0, 1)
    behind[tuple(last)] = 0
    last[axis] = slice(-1, None)
    ahead[tuple(last)] = 0
    number = np.arange(step.shape[axis])
    edge = ((number + 1) % patch == 0).reshape(-1, 1) if axis == 0 else ((number + 1) % patch == 0).reshape(1, -1)
    own = one & other & ~edge  # both filled, in one patch: the slope that was filled in
    return (one | other)[..., None].astype(np.float32), np.where(own[..., None], np.float32(0), (behind + ahead) / 2 - step)


def _spread(step: Array, axis: int) -> Array:
    """The transpose of `np.diff`: what a pair wants is taken from one and given to the other."""
    pad = [(0, 0)] * 3
    pad[axis] = (1, 1)
    return np.asarray(-np.diff(np.pad(step, pad), axis=axis))
