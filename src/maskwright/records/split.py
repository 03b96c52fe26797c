"""Which records train and which are held out, after duplicates are left out.

In: shards' hashes, groups and lengths. Out: record numbers. A group (a document, a thread, a customer) stays whole on
one side; the first of a set of equal records stays, white space folded. Choices depend on content hashes alone: records
that are added move hardly any other one to the other side, and none far from the edge of the share.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maskwright.errors import DataError, option
from maskwright.records.shards import Shards
from maskwright.tokens import Array

PARTS = ("look", "fit", "level")
"""Parts of the held-out records: those looked at while training, those that calibration is fitted on, and those that levels
of conformal sets are taken from. Neither of the last two saw what chose the weights."""


@dataclass(frozen=True)
class Split:
    train: Array
    held: dict[str, Array]
    """Record numbers of the held-out records, for each of the parts in `PARTS`."""
    duplicates: int
    own_held_out: bool = False

    @property
    def parted(self) -> bool:
        """Whether the parts differ; there were too few groups to part where they don't."""
        return not np.array_equal(self.held["fit"], self.held["level"])

    @property
    def held_out(self) -> Array:
        return np.concatenate([self.held[part] for part in PARTS])


def split(shards: Shards, share: float, own: Array | None = None) -> Split:
    """`share` of the tokens, by groups; or the record numbers `own`, where the user brings held-out data."""
    filled = np.flatnonzero((shards.lengths > 0) & (shards.sizes > 0))  # one that is transparent everywhere has no size
    first = np.sort(filled[np.unique(shards.folds[filled], return_index=True)[1]])
    duplicates = len(filled) - len(first)
    if own is not None:
        own = own[np.isin(own, filled)]
        held = np.intersect1d(first, own)
        # A training record that also stands in the user's held-out data is left out of training.
        copies = np.isin(shards.folds, shards.folds[own])
        train = first[~copies[first]]
        held = np.sort(np.unique(np.concatenate([held, own[np.isin(own, first, invert=True)]])))
        held = held[np.unique(shards.folds[held], return_index=True)[1]]
    else:
        chosen = _groups(shards, first, share)
        train, held = first[~chosen], first[chosen]
    if not len(train) or not len(held):
        fix = f"give more, or {option('held_out', 'PATH')}"
        raise DataError("too little data to hold some out: it has a single record", fix=fix)
    return Split(train, _thirds(shards, held), duplicates, own is not None)


def _groups(shards: Shards, records: Array, share: float) -> Array:
    """(len(records),) True where held out: groups in the order of their hashes until `share` of the tokens is reached."""
    groups, member = np.unique(shards.groups[records], return_inverse=True)
    if len(groups) < 2:
        return np.zeros(len(records), dtype=bool)
    weight = np.bincount(member, shards.lengths[records])
    order = np.argsort(_scrambled(groups))
    wanted = share * weight.sum()
    # A group much larger than the share is passed over, so that one giant document doesn't empty the training side.
    order = order[weight[order] <= max(2 * wanted, weight.min())]
    before = np.cumsum(weight[order]) - weight[order]
    taken = np.zeros(len(groups), dtype=bool)
    taken[order[before < wanted]] = True
    if taken.all():
        taken[weight.argmax()] = False
    return taken[member]


def _thirds(shards: Shards, held: Array) -> dict[str, Array]:
    """Groups dealt in turn to the parts, heaviest first, so that each gets about a third of the tokens."""
    groups, member = np.unique(shards.groups[held], return_inverse=True)
    weight = np.bincount(member, shards.lengths[held])
    order = np.lexsort((_scrambled(groups), -weight))
    load, part = np.zeros(len(PARTS)), np.zeros(len(groups), dtype=np.int64)
    for group in order:
        part[group] = int(load.argmin())
        load[part[group]] += weight[group]
    if len(groups) < len(PARTS):  # too few to part: every part is the whole, and the card says so
        return dict.fromkeys(PARTS, held)
    return {name: held[part[member] == i] for i, name in enumerate(PARTS)}


def _scrambled(groups: Array) -> Array:
    return groups * np.uint64(0x9E3779B97F4A7C15) ^ (groups >> np.uint64(29))
