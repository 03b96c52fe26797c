"""Held-out data: the same positions at every look, what counting reaches there, and what a net does.

In: shards, which records train and which are looked at. Out: a `Validation`, which takes a net's figures. Always 15% of the
tokens at random, whatever the run trains on, so that figures of different runs mean the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from maskwright.errors import DataError, option
from maskwright.modalities.base import Modality
from maskwright.model.about import HeldOutFigures
from maskwright.nets.masked import MaskedNet
from maskwright.records.shards import Shards
from maskwright.tokens import Array, Batch, Mask, masking
from maskwright.training.batches import batch_of, by_tokens, cut


@dataclass(frozen=True)
class Validation:
    """Fixed positions, the bits a byte of one nat a token on them, and what counting reaches there."""

    batches: list[tuple[Batch, Mask]]
    bits_per_nat: float
    floors: dict[str, float]
    """Bits per byte that each counting baseline needs on these positions, by its name."""

    @torch.no_grad()
    def look(self, net: MaskedNet) -> HeldOutFigures:
        """What a net does on these positions."""
        nll, first, fifth = [], 0, 0
        for batch, mask in self.batches:
            truth = {name: array[mask.target] for name, array in batch.values.items()}
            predicted = net(batch, mask.hidden, mask.target)
            nll.append(predicted.nll(truth).float().cpu().numpy())
            right = _right(predicted.candidates(5)[0], truth)
            first, fifth = first + int(right[:, 0].sum()), fifth + int(right.any(1).sum())
        all_ = np.concatenate(nll).astype(np.float64)
        nats = float(all_.mean())
        return HeldOutFigures(
            nats=nats, bits_per_byte=nats * self.bits_per_nat, top1=first / len(all_), top5=fifth / len(all_),
            floor_frequency=self.floors.get("frequency"), floor_neighbours=self.floors.get("neighbours"),
        )  # fmt: skip


def _right(candidates: dict[str, torch.Tensor], truth: dict[str, Array]) -> Array:
    """(M, k) which candidates are what stood there."""
    same = []
    for name, values in candidates.items():
        equal = values.cpu().numpy() == truth[name][:, None]
        same.append(equal.reshape(*equal.shape[:2], -1).all(-1))
    return np.logical_and.reduce(same)


def validation_set(
    modality: Modality, shards: Shards, train: Array, look: Array, length: int, tokens: int, seed: int
) -> Validation:
    """Positions in the records `look`, in pieces of `length`; and what counting the records `train` reaches there."""
    batches, tokens_a_byte = validation_batches(modality, shards, look, length, tokens, seed)
    bits_per_nat, baseline = tokens_a_byte / math.log(2), modality.baseline
    floors = {
        name: float(np.concatenate([floor(batch, mask) for batch, mask in batches]).mean() * bits_per_nat)
        for name, floor in (baseline.floors(shards, train) if baseline else {}).items()
    }
    return Validation(batches, bits_per_nat, floors)


def validation_batches(
    modality: Modality, shards: Shards, records: Array, length: int, tokens: int, seed: int, batch_tokens: int = 8192
) -> tuple[list[tuple[Batch, Mask]], float]:
    """The fixed held-out positions, 15% of tokens at random, and the tokens a byte of these records, of what is there.

    At most `tokens` tokens, from pieces drawn evenly over the records. Raises DataError where nothing of them is there.
    """
    content = length - modality.frame_size
    pieces = cut(records, shards.shapes[records], content)
    order = np.random.default_rng((seed, 15)).permutation(len(pieces.record))
    enough = np.searchsorted(np.cumsum(pieces.length[order]), tokens) + 1
    chosen = pieces[np.sort(order[:enough])]
    chosen = chosen[np.argsort(chosen.length, kind="stable")]
    out = []
    there = tokens_ = 0
    for part in by_tokens(chosen.length + modality.frame_size, batch_tokens):
        batch = batch_of(modality, shards, chosen[part])
        there, tokens_ = there + int((batch.maskable & batch.present).sum()), tokens_ + int(batch.maskable.sum())
        mask = masking.at_random(batch, 0.15, seed)
        if len(mask.target):  # of a batch that is absent throughout, a cut-out's corners, nothing can be asked
            out.append((batch, mask))
    if not out:
        fix = f"give more, or name some ({option('held_out', 'PATH')})"
        raise DataError("the held-out data shows nothing that could be asked for", fix=fix)
    return out, float(there / tokens_ * shards.lengths[records].sum() / max(shards.sizes[records].sum(), 1))
