"""Which tokens to hide: pure functions of the batch's own content, a configuration, a seed and a step.

In: a `Batch`. Out: a `Mask`. All kinds are one rule: every token gets a priority, and of each record the k tokens with
the lowest priorities are hidden. What differs is who shares a priority: nobody (random), the tokens of a unit (whole
words), or the tokens under a box (spans in text, blocks in a picture).

Random numbers come from a counter (SplitMix64 of seed, step, record and token), not from a stream: a record is masked
alike whatever stands beside it in the batch, whichever process prepares it, and however often a run is resumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from maskwright.errors import RecipeError, nearest
from maskwright.tokens import Array, Batch, Mask, grid

KINDS = ("random", "unit", "box", "mixed")
SCHEDULES = ("fixed", "falling", "uniform")
FALLEN = 0.2
"""Mean progress of a falling mask rate over a run, as a share of the way from its first value to its last."""
LONGEST_SIDE = 10
"""Longest side of a masked box, in positions, as in SpanBERT."""


@dataclass(frozen=True, kw_only=True)
class MaskConfig:
    """What is hidden in training."""

    kind: str = "random"
    """What is hidden together: random (token by token), unit (whole words, patches, cells), box (spans, in an image blocks),
    or mixed (boxes in every second record, random tokens in the others)."""
    rate: float = 0.4
    """Share of a record's tokens that is hidden."""
    schedule: str = "falling"
    """How the mask rate changes: fixed; falling, from `rate` to `rate_end` as the learning rate decays; or uniform, drawn
    for each record between the two, which makes the model a generative one (it is then a masked diffusion model: Sahoo et
    al., 2024)."""
    rate_end: float = 0.25
    """Share of the tokens that is hidden at the end of a falling schedule; the smallest share of a uniform one."""
    box_mean: float = 3.0
    """Mean side of a masked box, in positions; sides are geometric (SpanBERT, Joshi et al., 2020, section 3.1)."""

    @property
    def mean(self) -> float:
        """The share that is hidden over a run, about: the decay is its last third or so."""
        falling = self.rate - (self.rate - self.rate_end) * FALLEN
        return {"fixed": self.rate, "falling": falling, "uniform": (self.rate + self.rate_end) / 2}[self.schedule]

    def __post_init__(self) -> None:
        for name, value, choices in (("kind", self.kind, KINDS), ("schedule", self.schedule, SCHEDULES)):
            if value not in choices:
                near = nearest(str(value), choices)
                what = f"mask.{name} = {value!r}: choose one of {', '.join(choices)}{near}"
                raise RecipeError(what, option=f"mask.{name}")
        if not (0 < self.rate < 1 and 0 < self.rate_end < 1 and self.box_mean >= 1):
            raise RecipeError("mask.rate and mask.rate_end must lie between 0 and 1, mask.box_mean be at least 1")


def draw(batch: Batch, config: MaskConfig, *, seed: int, step: int, decay: float) -> Mask:
    """The training mask of a step. `decay` in [0, 1] is 1 before the learning rate falls, and 0 at its end."""
    key = step_keys(batch.keys, seed, step)
    records = len(batch.keys)
    if config.schedule == "uniform":
        rate = config.rate_end + (config.rate - config.rate_end) * uniform(key, np.full(records, 1 << 40))
    else:
        falling = decay if config.schedule == "falling" else 1.0
        rate = np.full(records, config.rate_end + (config.rate - config.rate_end) * falling)
    return lowest(batch, _priority(batch, config, key), rate, uniform(key, np.full(records, (1 << 40) + 1)))


def step_keys(keys: Array, seed: int, step: int) -> Array:
    """(n,) what chance at a step goes by, from the records' own keys: for `uniform`."""
    return _mix(keys ^ _mix(np.uint64(seed)) ^ _mix(np.uint64(step) + np.uint64(1 << 32)))


def at_random(batch: Batch, rate: float, seed: int) -> Mask:
    """Random tokens at a fixed rate: what held-out figures are taken on, whatever a run trains on."""
    key = _mix(batch.keys ^ _mix(np.uint64(seed)))
    rates = np.full(len(batch.keys), rate)
    return lowest(
        batch,
        _priority(batch, MaskConfig(kind="random"), key),
        rates,
        uniform(key, np.full(len(rates), (1 << 40) + 1)),
    )


def lowest(batch: Batch, priority: Array, rate: Array, chance: Array) -> Mask:
    """Hides, of each record's n tokens that may be, those of lowest priority: rate * n, rounded by `chance`, one at least.

    Tokens of equal priority go together: they are hidden when the middle of their ranks falls below the count. A record
    of which nothing is there has no target.
    """
    free = np.flatnonzero(batch.maskable & batch.present)
    record = batch.record[free]
    n = np.bincount(record, minlength=len(batch.keys))
    count = np.maximum(np.floor(rate * n + chance), 1)
    order = np.lexsort((priority[free], record))
    first = np.concatenate([[0], np.cumsum(n)])[record[order]]
    rank = np.arange(len(free)) - first
    value = priority[free][order]
    others = (value[1:] != value[:-1]) | (record[order][1:] != record[order][:-1])
    fresh = np.concatenate([np.ones(min(len(free), 1), dtype=bool), others])
    group = np.cumsum(fresh) - 1
    starts = np.flatnonzero(fresh)
    sizes = np.diff(np.append(starts, len(free)))
    begin = rank[starts][group]
    middle = begin + (sizes[group] - 1) / 2
    chosen = np.sort(free[order[(middle < count[record[order]]) | (begin == 0)]])
    hidden = ~batch.present.copy()
    hidden[chosen] = True
    return Mask(hidden=hidden, target=chosen, weight=np.ones(len(chosen), dtype=np.float32))


def cover(batch: Batch, passes: int, wanted: Array) -> list[Mask]:
    """Masks with disjoint targets that together predict every token that is `wanted` (T,) exactly once.

    A token is predicted with its unit's later tokens hidden and its earlier ones standing: hiding it alone would let the
    rest of a word give it away (Kauf and Ivanova, 2023). Targets of one pass stand apart, as far as can be, along every
    axis; which pass begins a record depends on its content. One record with as many passes as tokens is the exact rule.
    """
    free = np.flatnonzero(batch.maskable & batch.present & wanted)
    turn = _turns(batch.positions[free], batch.record[free], passes)
    turn = (turn + (_mix(batch.keys) % np.uint64(max(passes, 1))).astype(np.int64)[batch.record[free]]) % passes
    last = _last_of_unit(batch)
    masks = []
    for number in range(passes):
        target = free[turn == number]
        if not len(target):
            continue
        reach = np.zeros(len(batch.kind) + 1, dtype=np.int64)
        np.add.at(reach, target, 1)
        np.add.at(reach, last[target] + 1, -1)
        hidden = (np.cumsum(reach[:-1]) > 0) & batch.maskable | ~batch.present
        masks.append(Mask(hidden=hidden, target=target, weight=np.ones(len(target), dtype=np.float32)))
    return masks


def _turns(positions: Array, record: Array, passes: int) -> Array:
    """(F,) the pass of each token of every record's own: in turn where there are enough, else by a lattice over its grid."""
    out = np.zeros(len(record), dtype=np.int64)
    for number in np.unique(record):
        own = np.flatnonzero(record == number)
        if passes >= len(own):
            out[own] = np.arange(len(own))
            continue
        place = np.stack([np.unique(axis, return_inverse=True)[1] for axis in positions[own].T], axis=1)
        out[own] = place @ grid.lattice_steps(tuple(int(n) + 1 for n in place.max(axis=0)), passes)
    return out


def _last_of_unit(batch: Batch) -> Array:
    """(T,) the index of the last token of each token's unit."""
    tag = batch.unit + batch.record * (int(batch.unit.max(initial=0)) + 1)
    ends = np.flatnonzero(np.append(tag[1:] != tag[:-1], True))
    return ends[np.searchsorted(ends, np.arange(len(tag)))]


def _priority(batch: Batch, config: MaskConfig, key: Array) -> Array:
    """(T,) uniform numbers; equal where tokens must go together."""
    record = batch.record
    index = np.arange(len(record)) - batch.cu_seqlens[:-1][record]
    if config.kind == "unit":
        first = np.full(len(key), batch.unit.max(initial=0))  # counted from the record's own, whatever is beside it
        np.minimum.at(first, record[batch.maskable], batch.unit[batch.maskable])
        return uniform(key[record], batch.unit - first[record])
    own = uniform(key[record], index)
    if config.kind == "random":
        return own
    chance = [uniform(key[record], index + (axis + 1 << 41)) for axis in range(batch.positions.shape[1])]
    boxes = _boxes(batch, own, np.stack(chance, axis=1), config.box_mean)
    return boxes if config.kind == "box" else np.where(uniform(key, np.full(len(key), 1 << 43))[record] < 0.5, boxes, own)


def _boxes(batch: Batch, own: Array, chance: Array, mean: float) -> Array:
    """A token's priority is the lowest among the boxes that cover it, one of which begins at every token; `chance` (T, P)
    draws its sides."""
    drawn = np.ones(chance.shape) if mean == 1 else np.ceil(np.log1p(-chance) / np.log1p(-1 / mean)).clip(1, LONGEST_SIDE)
    extents = tuple(int(n) + 1 for n in batch.positions.max(axis=0, initial=0))
    place = (batch.record, *batch.positions.T)
    first = np.full((len(batch.keys), *extents), np.inf)  # records in grids of one size, which they don't all fill
    first[place] = own
    side = np.zeros((*first.shape, len(extents)))
    side[place] = drawn
    best = first.copy()
    for shift in product(*(range(min(LONGEST_SIDE, extent)) for extent in extents)):
        source = (slice(None), *(slice(0, n - s) for n, s in zip(extents, shift, strict=True)))
        target = (slice(None), *(slice(s, n) for n, s in zip(extents, shift, strict=True)))
        reached = (side[source] > shift).all(axis=-1)
        best[target] = np.minimum(best[target], np.where(reached, first[source], np.inf))
    return np.asarray(best[place])


def uniform(key: Array, counter: Array) -> Array:
    """Numbers in [0, 1) that depend on key and counter alone, elementwise."""
    bits = _mix(key ^ _mix(counter.astype(np.uint64)))
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(x: Array | np.uint64) -> Array:
    """SplitMix64's finaliser (Steele, Lea and Flood, 2014)."""
    with np.errstate(over="ignore"):
        z = np.asarray(x, dtype=np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))
