"""One vector a record, from the final states of its tokens.

In: tokens of records, longer ones too, and how the modality wants them pooled. Out: rows of unit length. Of each cell of a
coarse grid over the record: the mean state, and if asked for the deviation, in one row (spatial pyramids keep where things
lie in the same way: Lazebnik et al., 2006; deviations next to means: x-vectors, Snyder et al., 2018). Knows nothing of
what the states stand for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from maskwright.modalities.base import Pooling
from maskwright.model.predictor import Predictor
from maskwright.model.windows import windows
from maskwright.tokens import Array, Tokens


def cells(tokens: Tokens, along: int) -> Array:
    """(N,) the cell that each token's middle lies in, of a grid of so many cells along every axis."""
    shape = tokens.shape
    cell = np.zeros(len(tokens), dtype=np.int64)
    for axis, extent in enumerate(shape):
        place = tokens.positions[:, axis] - tokens.positions[:, axis].min(initial=0)
        cell = cell * along + (2 * place + 1) * along // (2 * max(extent, 1))
    return cell


def embed(predictor: Predictor, records: Sequence[Tokens]) -> Array:
    """(n, `Pooling.width`) float32 of unit length; what is not known counts for nothing."""
    pooling, frame = predictor.modality.pooling, predictor.modality.frame_size
    before = (frame + 1) // 2
    pieces, owners, kept, places = [], [], [], []
    for number, tokens in enumerate(records):
        cuts, cell = windows(tokens.shape, predictor.most), cells(tokens, pooling.cells)
        last = len(cuts.tokens) - 1
        for w, own in enumerate(cuts.tokens):
            pieces.append(tokens.take(own))
            owners.append(number)
            # Every token counts once, where it lies most central; the frame at the two ends of the record, if there it has a
            # place: in no cell of a grid.
            mine = (cuts.owner[own] == w) & tokens.present[own]
            ends = [[at and pooling.cells == 1] * many for at, many in ((w == 0, before), (w == last, frame - before))]
            kept.append(np.array([*ends[0], *mine, *ends[1]], dtype=bool))
            places.append(np.pad(cell[own], (before, frame - before), mode="edge" if len(own) else "constant"))
    many, width = pooling.cells**predictor.modality.axes, predictor.net.config.width
    counts = np.zeros((len(records), many, 1))
    sums, squares = np.zeros((2, len(records), many, width))
    for states, number, mine, place in zip(predictor.states(pieces), owners, kept, places, strict=True):
        for cell in np.unique(place[mine]):
            inside = states[mine & (place == cell)]
            counts[number, cell] += len(inside)
            sums[number, cell] += inside.sum(0, dtype=np.float64)
            if pooling.deviation:
                squares[number, cell] += np.square(inside, dtype=np.float64).sum(0)
    rows = _moments(pooling, counts, sums, squares)
    return (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def _moments(pooling: Pooling, counts: Array, sums: Array, squares: Array) -> Array:
    """(n, cells, W) sums to (n, all in a row); a cell of which nothing is known takes after the whole record."""
    known = counts > 0
    counts = np.where(known, counts, np.maximum(counts.sum(1, keepdims=True), 1))
    mean, square = (np.where(known, total, total.sum(1, keepdims=True)) / counts for total in (sums, squares))
    parts = [mean, np.sqrt(np.maximum(square - mean**2, 0))] if pooling.deviation else [mean]
    return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
