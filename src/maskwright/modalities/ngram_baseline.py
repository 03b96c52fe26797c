"""What counting knows of data whose tokens are ids in a row: how often each stands between its neighbours. The floors that a
model must beat, and the vectors that it starts from.

In: token ids of the training records, record by record. Out: the nats of what stands at the targets of a mask, by
frequency alone and by both neighbours (those that are not hidden), backed off to one neighbour and to frequency by
Jelinek-Mercer interpolation (1980), whose weights depend on how often the context was seen and are fitted by EM on
records left out of the counts. Knows nothing of text: ids are ids.

`NgramBaseline` makes a modality's `baseline` of them, for any modality whose tokens have one id each along one axis, and
whose net is made of `TokenInput` and `TokenHead`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from maskwright.modalities.base import Floor
from maskwright.nets.neighbour_heads import set_neighbour_heads
from maskwright.tokens import Array, Batch, Mask

ALIKE = 3.0
"""The value of dimension 0 in every token's initial vector, where the others have a mean square of one, before all are
scaled."""
MOST_TOKENS = 8_000_000
"""The most tokens that are counted: a floor does not get much better by more, and the counts must fit in memory."""
_BUCKETS = 12


class NgramBaseline:
    """Floors and a start for ids below `size` in the column `name` of the shards."""

    def __init__(self, name: str, size: int) -> None:
        self.name, self.size = name, size

    def floors(self, shards: Any, train: Array) -> dict[str, Floor]:
        ids, starts = shards.column(self.name, train, MOST_TOKENS)
        counted = NgramCounts.of(ids, starts, self.size)
        return {
            "frequency": lambda batch, mask: counted.frequency_nats(batch.values[self.name][mask.target]),
            "neighbours": lambda batch, mask: counted.neighbour_nats(*neighbours(batch, mask, self.name, self.size)),
        }

    def start(self, net: Any, shards: Any, train: Array) -> None:
        """The bias is log frequency, vectors those of counting, and two heads read the neighbours."""
        ids, starts = shards.column(self.name, train, MOST_TOKENS)
        size = self.size
        frequency = np.bincount(ids, minlength=size)[:size] + 0.5
        with torch.no_grad():
            net.head.bias.copy_(torch.from_numpy(np.log(frequency / frequency.sum())))
            table = net.inputs.tok_embeddings.weight
            width = table.shape[1]
            found = vectors(ids, starts, size, width - 1)
            # Logits are products of these with features of unit mean square: this makes them of order one.
            table.copy_(torch.cat((torch.full((size, 1), ALIKE), found), dim=1) * width**-0.5)
            if not net.config.positions:
                seen = torch.from_numpy(frequency > 1)
                set_neighbour_heads(net.encoder, float(F.layer_norm(table[seen], (width,))[:, 0].mean()))


class Table:
    """How often each key was seen, by binary search in sorted arrays."""

    def __init__(self, keys: Array) -> None:
        self.keys, self.counts = np.unique(keys, return_counts=True)

    def __call__(self, keys: Array) -> Array:
        if not len(self.keys):
            return np.zeros(len(keys), dtype=np.int64)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, self.counts[at], 0)


@dataclass(frozen=True)
class NgramCounts:
    """Counts over ids < `size`; the id `size` stands for the edge of a record."""

    size: int
    frequency: Array
    left: Table
    right: Table
    both: Table
    left_context: Table
    right_context: Table
    both_context: Table
    weights: Array
    """(4 cases of visible neighbours, buckets, buckets, 4 experts) interpolation weights; the buckets are of how often one
    neighbour, and both together, were seen."""

    @classmethod
    def of(cls, ids: Array, starts: Array, size: int) -> NgramCounts:
        """`ids` end to end, `starts` (R + 1,) of the records; every tenth record is left out to fit the weights."""
        fit = np.arange(len(starts) - 1) % 10 == 9 if len(starts) > 20 else np.zeros(len(starts) - 1, dtype=bool)
        x, l, r = _triples(ids, starts, size)
        held = np.repeat(fit, np.diff(starts))
        if not fit.any():  # one long record: its last tenth
            held[-max(len(held) // 10, 1) :] = True
        counts = cls._count(x[~held], l[~held], r[~held], size)
        weights = _fit(counts, x[held][-200_000:], l[held][-200_000:], r[held][-200_000:])
        full = cls._count(x, l, r, size)
        return cls(**{**full.__dict__, "weights": weights})

    @classmethod
    def _count(cls, x: Array, l: Array, r: Array, size: int) -> NgramCounts:
        base = np.uint64(size + 1)
        return cls(
            size,
            np.bincount(x, minlength=size)[:size],
            Table(l * base + x),
            Table(x * base + r),
            Table((l * base + x) * base + r),
            Table(l),
            Table(r),
            Table(l * base + r),
            np.full((4, _BUCKETS, _BUCKETS, 4), 0.25),
        )

    def frequency_nats(self, x: Array) -> Array:
        """Add-half smoothed frequency (Krichevsky and Trofimov, 1981)."""
        return -np.log((self.frequency[x] + 0.5) / (self.frequency.sum() + 0.5 * self.size))

    def neighbour_nats(self, x: Array, l: Array, r: Array, case: Array) -> Array:
        """`case`: 0 neither neighbour can be seen, 1 the left one, 2 the right one, 3 both."""
        p, bucket = self._experts(x, l, r, case)
        weights = self.weights[case, bucket[0], bucket[1]]
        return -np.log((p * weights).sum(1))

    def _experts(self, x: Array, l: Array, r: Array, case: Array) -> tuple[Array, tuple[Array, Array]]:
        """(n, 4) probabilities by frequency, left, right and both neighbours; and how well known the context is."""
        base = np.uint64(self.size + 1)
        seen_l, seen_r, seen_b = self.left_context(l), self.right_context(r), self.both_context(l * base + r)
        p = np.stack(
            [
                np.exp(-self.frequency_nats(x.astype(np.int64))),
                np.where(case & 1, self.left(l * base + x) / np.maximum(seen_l, 1), 0),
                np.where(case & 2, self.right(x * base + r) / np.maximum(seen_r, 1), 0),
                np.where(case == 3, self.both((l * base + x) * base + r) / np.maximum(seen_b, 1), 0),
            ],
            axis=1,
        )
        one = np.where(case == 1, seen_l, np.where(case == 2, seen_r, np.minimum(seen_l, seen_r)))
        deep = np.where(case == 3, seen_b, 0)
        return p, (_bucket(one), _bucket(deep))


def _bucket(count: Array) -> Array:
    return np.minimum(np.ceil(np.log2(count + 1)), _BUCKETS - 1).astype(np.int64)


def _triples(ids: Array, starts: Array, size: int) -> tuple[Array, Array, Array]:
    """Each token with its neighbours; `size` where the record ends."""
    x = ids.astype(np.uint64)
    l, r = np.empty_like(x), np.empty_like(x)
    l[1:], r[:-1] = x[:-1], x[1:]
    nonempty = np.diff(starts) > 0
    l[starts[:-1][nonempty]] = size
    r[starts[1:][nonempty] - 1] = size
    return x, l, r


def _fit(counts: NgramCounts, x: Array, l: Array, r: Array) -> Array:
    """EM for the interpolation weights, a set for each case and bucket of context counts."""
    weights = counts.weights.copy()
    for case in range(4):
        cases = np.full(len(x), case)
        p, (one, deep) = counts._experts(x, l, r, cases)
        cell = one * _BUCKETS + deep
        usable = np.array([True, bool(case & 1), bool(case & 2), case == 3])
        w = np.tile(usable / usable.sum(), (_BUCKETS * _BUCKETS, 1))
        overall = w[0]
        for _ in range(30):
            share = p * w[cell]
            share /= np.maximum(share.sum(1, keepdims=True), 1e-300)
            mass = np.stack([np.bincount(cell, share[:, e], minlength=len(w)) for e in range(4)], axis=1)
            overall = mass.sum(0) / max(mass.sum(), 1e-300) if len(x) else overall
            # A cell that was hardly seen leans on all cells; frequency keeps a little everywhere, so nothing is infinite.
            w = (mass + 5 * overall + np.array([0.05, 0, 0, 0])) * usable
            w /= np.maximum(w.sum(1, keepdims=True), 1e-300)
        weights[case] = w.reshape(_BUCKETS, _BUCKETS, 4)
    return weights


def neighbours(batch: Batch, mask: Mask, name: str, size: int) -> tuple[Array, Array, Array, Array]:
    """Each target's id, its neighbours' ids (`size` at a record's edge), and which of them can be seen."""
    ids = np.where(batch.maskable, batch.values[name], size).astype(np.uint64)
    at = mask.target
    padded, hidden = np.append(ids, size), np.append(mask.hidden, False)
    case = (~hidden[at - 1]).astype(np.int64) + 2 * (~hidden[at + 1])
    return ids[at], padded[at - 1], padded[at + 1], case


def vectors(ids: Array, starts: Array, size: int, width: int) -> torch.Tensor:
    """(size, width) vectors such that tokens with like neighbours lie alike: the leading singular vectors of the
    positive pointwise mutual information of tokens and their left and right neighbours (Levy and Goldberg, 2014,
    section 3), by randomised subspace iteration (Halko et al., 2011). Their mean square is one; a token that was never
    seen gets a random vector."""
    x, l, r = _triples(ids, starts, size)
    base = np.uint64(size + 1)
    n = float(len(x))
    row, col, value = [], [], []
    for side, context in enumerate((l, r)):
        keys, count = np.unique(x * base + context, return_counts=True)
        a, b = (keys // base).astype(np.int64), (keys % base).astype(np.int64)
        seen_a, seen_b = (
            np.bincount(x.astype(np.int64), minlength=size + 1),
            np.bincount(context.astype(np.int64), minlength=size + 1),
        )
        pmi = np.log(count * n / (seen_a[a].astype(np.float64) * seen_b[b] ** 0.75 * n**0.25))
        keep = pmi > 0
        row.append(a[keep]); col.append(b[keep] + side * (size + 1)); value.append(pmi[keep])  # fmt: skip
    index = torch.from_numpy(np.stack([np.concatenate(row), np.concatenate(col)]))
    weights = torch.from_numpy(np.concatenate(value)).float()
    matrix = torch.sparse_coo_tensor(index, weights, (size, 2 * (size + 1)), check_invariants=False).coalesce()
    back = matrix.t().coalesce()
    generator = torch.Generator().manual_seed(0)
    rank = min(width + 16, size)
    basis = torch.linalg.qr(torch.sparse.mm(matrix, torch.randn(2 * (size + 1), rank, generator=generator)))[0]
    for _ in range(3):
        basis = torch.linalg.qr(torch.sparse.mm(matrix, torch.sparse.mm(back, basis)))[0]
    u, s, _ = torch.linalg.svd(torch.sparse.mm(back, basis).t(), full_matrices=False)
    out = (basis @ u)[:, :width] * s[:width].sqrt()
    if out.shape[1] < width:
        out = torch.cat([out, torch.zeros(size, width - out.shape[1])], dim=1)
    seen = out.pow(2).sum(1) > 0
    out = out / out[seen].pow(2).mean().sqrt().clamp(min=1e-6)
    return torch.where(seen[:, None], out, torch.randn(out.shape, generator=generator))
