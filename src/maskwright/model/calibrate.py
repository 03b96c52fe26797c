"""Calibration fitted on held-out records, on what the decoder itself puts out.

In: a predictor and held-out records. Out: a `Calibration`. The temperature of one slot by maximum likelihood on slots hidden
one at a time; where values can be listed also: a second one, on the joint probability of best completions of two to five
tokens; and the level of a set, a quantile of the truth's nats on records that the temperatures did not see, for slots hidden
alone and for each of two to eight adjacent ones that are hidden together. How strange whole records are, for all.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from maskwright.modalities.base import Asked, Query
from maskwright.model import span_length
from maskwright.model.beam_decode import DecodeConfig, best
from maskwright.model.calibration import CONTEXT, FEWEST, PASSES, Calibration, CalibrationConfig
from maskwright.model.predictor import Predictor, Question, truth
from maskwright.model.score import score
from maskwright.model.windows import around
from maskwright.tokens import Array, Distribution, Tokens

SPAN_CONTEXT = 62
"""Tokens of a record that a question about a span shows, at most: each such question takes many forward passes."""
MOST_TOGETHER = 8
"""Largest number of blanks, hidden together in one record, for which levels are taken."""
QUANTILES = 1001
SINGLE_COST, SPAN_COST = 3.4, 11.0
"""Cost of `fit` for each slot that the configuration names: in forward passes over a single slot's window, and in those over
a span's window."""
MOST = 64_000
"""Largest number of calibration slots that a budget buys."""
MOST_SLOTS = 10_000
"""Largest number of calibration slots that are read: more would hardly change a temperature or a level, so the rest of the
budget goes into whole records."""
MOST_RECORDS = 2_000
"""Largest number of whole records whose strangeness is measured."""
TOGETHER = 50_000
"""Tokens of whole records whose strangeness is measured at a time."""


def fit(
    predictor: Predictor, fitted_on: Sequence[Tokens], levels_on: Sequence[Tokens], whole: Iterable[tuple[Tokens, int]],
    config: CalibrationConfig, seed: int,
) -> Calibration:  # fmt: skip
    """Single slots for the temperature and again for levels, a fourth as many slots in spans of each length; a twentieth
    as many spans to be filled of known length, and a fortieth of unknown; and of `whole` records and their keys as many as
    cost as much as the single slots do. Where no value can be listed there is nothing to fill exactly: the temperature of
    one slot and strangeness are all."""
    rng, slots = np.random.default_rng((seed, 77)), min(config.slots, MOST_SLOTS)
    slot = _slot_temperature(predictor, together(fitted_on, slots, 1, rng))
    strange, size = strangeness(predictor, whole, config.slots * CONTEXT // PASSES)
    if not predictor.net.lists_values:
        return Calibration(slot, strangeness=strange, tokens=size)
    listable, decode = predictor.listable, DecodeConfig(temperature=slot)
    joint = _joint_temperature(predictor, fitted_on, max(slots // 20, 1), rng, decode)
    shares = {1: slots} | {n: max(slots // (4 * n), 1) for n in range(2, MOST_TOGETHER + 1)}
    nats = [slot_nats(predictor, together(levels_on, count, n, rng, listable), slot) for n, count in shares.items()]
    quantiles = np.linspace(0, 1, QUANTILES)
    levels = [np.quantile(n, quantiles, method="higher").round(6).tolist() if len(n) else [] for n in nats]
    out = Calibration(slot, joint, levels, [len(n) for n in nats], strangeness=strange, tokens=size)
    longest = predictor.modality.longest_blank
    count = max(slots // 320, 1)
    spans = [s for length in range(1, longest + 1) for s in stretches(fitted_on, count, length, rng, listable)]
    return replace(out, lengths=span_length.fit(predictor, spans, decode, longest))


def strangeness(predictor: Predictor, records: Iterable[tuple[Tokens, int]], most: int) -> tuple[list[float], float]:
    """Nats a whole token of records of `most` tokens in all, ascending, and how many tokens a record has. The first that
    doesn't fit is the end: smaller ones in its place would stand for all sizes."""
    out: list[float] = []
    sizes: list[int] = []
    group: list[tuple[Tokens, int]] = []
    held = 0

    def measured() -> list[float]:
        nats = score(predictor, [tokens for tokens, _ in group], [key for _, key in group], PASSES)
        whole = [predictor.modality.shares(tokens)[tokens.present].sum() for tokens, _ in group]
        return [round(float(n.sum() / w), 5) for n, w in zip(nats, whole, strict=True)]

    for tokens, key in itertools.islice(records, MOST_RECORDS):
        sizes.append(len(tokens))
        most -= len(tokens)
        if most < 0:
            break
        if tokens.present.any():
            group.append((tokens, key))
            held += len(tokens)
        if held >= TOGETHER:
            out, group, held = out + measured(), [], 0
    return sorted(out + measured()), float(np.mean(sizes)) if sizes else 0.0


def affordable(predictor: Predictor, records: Sequence[Tokens], seconds: float) -> int:
    """As many slots as `fit` reads on records like these in that time, by the speed of a few."""
    size = np.array([len(tokens) for tokens in records])
    if not size.sum():
        return FEWEST
    single, span = (float(np.average(np.minimum(size, most), weights=size)) for most in (CONTEXT, SPAN_CONTEXT))
    probe = together(records, 100, 1, np.random.default_rng(0))
    took = float("inf")
    for _ in range(2):  # the first warms up
        begun = time.perf_counter()
        slot_nats(predictor, probe, 1.0)
        took = min(took, time.perf_counter() - begun)
    a_slot = took / len(probe) * (SINGLE_COST + (SPAN_COST * span / single if predictor.net.lists_values else 0.0))
    return int(min(max(seconds / a_slot, FEWEST), MOST))


Which = Callable[[Tokens], Array]
"""Function from a record of N tokens to (N,) bool: which of them may be asked for."""


def together(
    records: Sequence[Tokens], count: int, length: int, rng: np.random.Generator, which: Which | None = None
) -> list[Question]:
    """Questions with `length` adjacent tokens hidden, at random over all tokens of all records, their surroundings shown."""
    queries = stretches(records, count, length, rng, which, CONTEXT)
    return [Question(query.tokens, ~query.tokens.present, query.blanks) for query in queries]


def stretches(
    records: Sequence[Tokens],
    count: int,
    length: int,
    rng: np.random.Generator,
    which: Which | None = None,
    context: int = SPAN_CONTEXT,
) -> list[Query]:
    """Queries with `length` adjacent tokens blanked out at random, where all of them are among `which`; what stood there is
    their `truth`."""
    starts = [_starts(tokens, length, which) for tokens in records]
    room = np.array([len(own) for own in starts])
    if not room.sum():
        return []
    ends = np.cumsum(room)
    chosen = np.sort(rng.choice(ends[-1], size=min(count, int(ends[-1])), replace=False))
    out = []
    for pick in chosen:
        number = int(np.searchsorted(ends, pick, side="right"))
        start = int(starts[number][int(pick - (ends[number] - room[number]))])
        out.append(blanked(records[number], np.arange(start, start + length), context))
    return out


def _starts(tokens: Tokens, length: int, which: Which | None) -> Array:
    """Where a stretch of so many tokens may begin."""
    places = max(len(tokens) - length + 1, 0)
    if which is None or not places:
        return np.arange(places)
    free = np.cumsum(np.concatenate([[0], which(tokens)]))
    return np.flatnonzero(free[length:] - free[:-length] == length)


def blanked(tokens: Tokens, at: Array, context: int) -> Query:
    """A record with the tokens `at` taken out, cut to `context` tokens around them."""
    own = around(tokens.shape, at, context)
    window, blank = tokens.take(own), np.searchsorted(own, at)
    present = window.present.copy()
    present[blank] = False
    stood = {name: array[blank] for name, array in window.values.items()}
    return Query(replace(window, present=present), truth=stood)


def slot_nats(predictor: Predictor, questions: Sequence[Question], temperature: float) -> Array:
    """(n,) nats of the truth at every slot that is asked, in the order of the questions."""

    def answer(distribution: Distribution, members: list[int], rows: Array) -> list[Array]:
        asked = [Asked.alone(Query(questions[m].tokens), int(i)) for m in members for i in questions[m].at]
        restricted = predictor.modality.restrict(distribution.tempered(temperature), asked)
        nats = restricted.nll(truth(questions, members)).double().cpu().numpy()
        return [nats[a:b] for a, b in pairwise(rows)]

    return np.concatenate([np.zeros(0), *predictor.ask(questions, answer)])


@torch.no_grad()
def _slot_temperature(predictor: Predictor, questions: Sequence[Question]) -> float:
    """The temperature at which the truth is likeliest, by golden section on the mean nats of logits kept once."""
    if not questions:
        return 1.0

    def answer(distribution: Distribution, members: list[int], rows: Array) -> list[Any]:
        return [(distribution, truth(questions, members)), *[None] * (len(members) - 1)]

    kept = [batch for batch in predictor.ask(questions, answer) if batch]

    def cost(t: float) -> float:
        return float(sum(d.tempered(t).nll(values).double().sum() for d, values in kept))

    return _golden(cost) if cost(0.5) != cost(2.0) else 1.0  # where nothing that was asked is to be seen, all cost nothing


def _joint_temperature(
    predictor: Predictor, records: Sequence[Tokens], count: int, rng: np.random.Generator, config: DecodeConfig
) -> float:
    """The exponent by which best completions of 2 to 5 tokens are right as often as their probability says."""
    each, which = max(count // 4, 1), predictor.listable
    queries = [query for length in (2, 3, 4, 5) for query in stretches(records, each, length, rng, which)]
    if not queries:
        return 1.0
    log_prob, right = [], []
    for query, completions in zip(queries, best(predictor, queries, config), strict=True):
        log_prob.append(completions[0].log_prob)
        right.append(is_right(query, completions[0].tokens))
    x, y = torch.tensor(log_prob).clamp(max=-1e-6), torch.tensor(right)

    def cost(t: float) -> float:
        p = (x / t).exp().clamp(1e-9, 1 - 1e-9)
        # A quarter of a success and a failure more: few spans must not make it sure of itself.
        return float(-torch.where(y, p.log(), (1 - p).log()).sum() + abs(np.log(t)))

    return _golden(cost)


def is_right(query: Query, filled: Tokens) -> bool:
    """Every blank holds what stood there."""
    assert query.truth is not None
    at = query.blanks
    return all(np.array_equal(filled.values[name][at], stood) for name, stood in query.truth.items())


def _golden(cost: Callable[[float], float], low: float = 0.25, high: float = 4.0) -> float:
    """The minimum of a unimodal function of a positive number, on a log scale, to three digits."""
    a, b, ratio = float(np.log(low)), float(np.log(high)), (5**0.5 - 1) / 2
    for _ in range(18):
        c, d = b - ratio * (b - a), a + ratio * (b - a)
        if cost(float(np.exp(c))) < cost(float(np.exp(d))):
            b = d
        else:
            a = c
    return round(float(np.exp((a + b) / 2)), 4)
