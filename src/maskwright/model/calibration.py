"""Probabilities that mean what they say: a temperature for one slot, one for whole completions, levels for sets that
hold the truth as often as promised, what makes blanks of different lengths comparable, and how strange a record may be.

In: a reader and held-out records. Out: a `Calibration`, a few numbers that go into the model folder. Fitted on what the
decoder itself puts out: a temperature (Guo et al., 2017) by maximum likelihood on slots hidden one at a time; a second
one on the joint probability of best completions of two to five tokens; the level of a set is a quantile of the truth's
nats on records that the temperatures did not see (split conformal prediction: Vovk et al., 2005; sets of least size:
Sadinle et al., 2019), for slots hidden alone and for each of two to eight adjacent ones that are hidden together.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from maskwright.errors import QueryError, RecipeError
from maskwright.modalities.base import Query
from maskwright.model import span_length
from maskwright.model.beam_decode import DecodeConfig, best
from maskwright.model.predictor import Predictor, Question, truth
from maskwright.model.score import PASSES, score
from maskwright.model.span_length import LengthPrior
from maskwright.model.windows import around
from maskwright.tokens import Array, Tokens

CONTEXT = 126
"""tokens of a record that a question about one slot shows at the most: its cost grows with them, its answer hardly"""
SPAN_CONTEXT = 62
"""the same for spans, each of which takes many readings"""
QUANTILES = 1001
SINGLE_COST, SPAN_COST = 3.4, 11.0
"""of `fit` for each slot that the configuration names, in readings of a single slot's window and of a span's"""
FEWEST, MOST = 200, 64_000
"""slots that a budget buys"""
MOST_SLOTS = 10_000
"""that are read: more would hardly change a temperature, or a level; the rest goes into whole records"""
MOST_RECORDS = 2_000
"""whose strangeness is measured"""
TOGETHER = 50_000
"""tokens of whole records that are measured at a time"""


@dataclass(frozen=True, kw_only=True)
class CalibrationConfig:
    slots: int = 0
    """single slots that the temperature is fitted on, and as many again for conformal levels, 10,000 at the most; whole
    records' strangeness is measured for as much time as all of them would take; 0: what the budget allows"""

    def __post_init__(self) -> None:
        if self.slots < 0:
            raise RecipeError("calibration.slots must be at least 0")


@dataclass(frozen=True)
class Calibration:
    slot: float = 1.0
    """temperature of one slot"""
    joint: float = 1.0
    """a completion's probability is the product of its conditionals to the power 1 / joint"""
    levels: list[list[float]] = field(default_factory=list)
    """quantiles of the truth's nats, evenly spaced from 0 to 1, for one blank, two, and so on"""
    slots: list[int] = field(default_factory=list)
    """how many slots each of `levels` was taken from"""
    lengths: LengthPrior = field(default_factory=LengthPrior)
    strangeness: list[float] = field(default_factory=list)
    """nats a whole token of whole held-out records, ascending"""
    tokens: float = 0.0
    """of such a record, on average"""

    def threshold(self, false_alarms: float) -> float:
        """Nats a token that a record like those trained on exceeds with that probability."""
        if not 0 < false_alarms < 1:
            raise QueryError(f"the share of false alarms must lie between 0 and 1, got {false_alarms}")
        n = len(self.strangeness)
        rank = int(np.ceil((n + 1) * (1 - false_alarms)))
        if rank > n:
            needed = math.ceil(1 / false_alarms) - 1
            slots = max(math.ceil(1.25 * needed * self.tokens * PASSES / CONTEXT), FEWEST)  # sizes differ
            raise QueryError(
                f"false alarms of {false_alarms} can't be promised: calibration had time or data for {n} held-out records"
                f" only, and needs {needed}; train longer (or --set calibration.slots={slots}, time for so many), with more"
                " held out (--set train.held_out=0.2), or on smaller records, since whole ones are read"
            )
        return self.strangeness[rank - 1]

    def level(self, coverage: float, blanks: int) -> float:
        """Nats up to which values belong to a set that holds the truth with probability `coverage`, at any of so many
        blanks that are all open."""
        if not 0 < coverage < 1:
            raise QueryError(f"coverage must lie between 0 and 1, got {coverage}")
        if self.slots and blanks > len(self.slots):
            raise QueryError(f"coverage can be promised for {len(self.slots)} blanks in a text at the most, not {blanks}")
        n = self.slots[blanks - 1] if self.slots else 0
        if n < 1 or np.ceil((n + 1) * coverage) > n:
            raise QueryError(
                f"coverage {coverage} can't be promised: calibration had {n} held-out slots only; train on more"
            )
        share = np.ceil((n + 1) * coverage) / n
        return float(np.interp(share, np.linspace(0, 1, len(self.levels[blanks - 1])), self.levels[blanks - 1]))

    def completion(self, log_prob: float, blanks: int) -> float:
        """The calibrated log probability of a whole completion of so many tokens."""
        return log_prob / (self.joint if blanks > 1 else 1.0)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Calibration:
        return cls(**(saved | {"lengths": LengthPrior(**saved["lengths"])}))


def fit(
    reader: Predictor, fitted_on: Sequence[Tokens], levels_on: Sequence[Tokens], whole: Iterable[tuple[Tokens, int]],
    config: CalibrationConfig, seed: int,
) -> Calibration:  # fmt: skip
    """Single slots for the temperature and again for levels, a fourth as many slots in spans of each length; a twentieth
    as many spans to be filled of known length, and a fortieth of unknown; and of `whole` records and their keys as many as
    cost as much as the single slots do."""
    rng, slots = np.random.default_rng((seed, 77)), min(config.slots, MOST_SLOTS)
    slot = _slot_temperature(reader, together(fitted_on, slots, 1, rng))
    strange, size = strangeness(reader, whole, config.slots * CONTEXT // PASSES)
    if not reader.modality.exact:
        return Calibration(slot, strangeness=strange, tokens=size)
    decode = DecodeConfig(temperature=slot)
    joint = _joint_temperature(reader, fitted_on, max(slots // 20, 1), rng, decode)
    shares = {1: slots} | {n: max(slots // (4 * n), 1) for n in range(2, span_length.LONGEST + 1)}
    nats = [slot_nats(reader, together(levels_on, count, n, rng), slot) for n, count in shares.items()]
    quantiles = np.linspace(0, 1, QUANTILES)
    levels = [np.quantile(n, quantiles, method="higher").round(6).tolist() if len(n) else [] for n in nats]
    out = Calibration(slot, joint, levels, [len(n) for n in nats], strangeness=strange, tokens=size)
    spans = [
        s for length in range(1, span_length.LONGEST + 1) for s in stretches(fitted_on, max(slots // 320, 1), length, rng)
    ]
    return replace(out, lengths=span_length.fit(reader, spans, decode))


def strangeness(reader: Predictor, records: Iterable[tuple[Tokens, int]], most: int) -> tuple[list[float], float]:
    """Nats a whole token of records of `most` tokens in all, ascending, and how many tokens a record has. The first that
    doesn't fit is the end: smaller ones in its place would stand for all sizes."""
    out: list[float] = []
    sizes: list[int] = []
    group: list[tuple[Tokens, int]] = []
    held = 0

    def measured() -> list[float]:
        nats = score(reader, [tokens for tokens, _ in group], [key for _, key in group], PASSES)
        whole = [reader.modality.shares(tokens)[tokens.present].sum() for tokens, _ in group]
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


def affordable(reader: Predictor, records: Sequence[Tokens], seconds: float) -> int:
    """As many slots as `fit` reads on records like these in that time, by the speed of a few."""
    size = np.array([len(tokens) for tokens in records])
    if not size.sum():
        return FEWEST
    single, span = (float(np.average(np.minimum(size, most), weights=size)) for most in (CONTEXT, SPAN_CONTEXT))
    probe = together(records, 100, 1, np.random.default_rng(0))
    took = float("inf")
    for _ in range(2):  # the first warms up
        begun = time.perf_counter()
        slot_nats(reader, probe, 1.0)
        took = min(took, time.perf_counter() - begun)
    a_slot = took / len(probe) * (SINGLE_COST + (SPAN_COST * span / single if reader.modality.exact else 0.0))
    return int(min(max(seconds / a_slot, FEWEST), MOST))


def together(records: Sequence[Tokens], count: int, length: int, rng: np.random.Generator) -> list[Question]:
    """Questions with `length` adjacent tokens hidden, at random over all tokens of all records, their surroundings shown."""
    asked = stretches(records, count, length, rng, CONTEXT)
    return [Question(a.tokens, ~a.tokens.present, np.flatnonzero(~a.tokens.present)) for a in asked]


def stretches(
    records: Sequence[Tokens], count: int, length: int, rng: np.random.Generator, context: int = SPAN_CONTEXT
) -> list[Query]:
    """Queries with `length` adjacent tokens blanked out at random; what stood there is their `truth`."""
    room = np.array([max(len(tokens) - length + 1, 0) for tokens in records])
    if not room.sum():
        return []
    ends = np.cumsum(room)
    chosen = np.sort(rng.choice(ends[-1], size=min(count, int(ends[-1])), replace=False))
    out = []
    for pick in chosen:
        number = int(np.searchsorted(ends, pick, side="right"))
        start = int(pick - (ends[number] - room[number]))
        at = np.arange(start, start + length)
        out.append(blanked(records[number], at, context))
    return out


def blanked(tokens: Tokens, at: Array, context: int) -> Query:
    """A record with the tokens `at` taken out, cut to `context` tokens around them."""
    own = around(tokens.shape, at, context)
    window, blank = tokens.take(own), np.searchsorted(own, at)
    present = window.present.copy()
    present[blank] = False
    stood = {name: array[blank] for name, array in window.values.items()}
    return Query(replace(window, present=present), None, stood)


def slot_nats(reader: Predictor, questions: Sequence[Question], temperature: float) -> Array:
    """(n,) nats of the truth at every slot that is asked, in the order of the questions."""

    def answer(distribution: Any, members: list[int], rows: Array) -> list[Array]:
        asked = [(Query(questions[m].tokens, None), int(i)) for m in members for i in questions[m].at]
        restricted = reader.modality.restrict(distribution.tempered(temperature), asked)
        nats = restricted.nll(truth(questions, members)).double().cpu().numpy()
        return [nats[a:b] for a, b in pairwise(rows)]

    return np.concatenate([np.zeros(0), *reader.ask(questions, answer)])


@torch.no_grad()
def _slot_temperature(reader: Predictor, questions: Sequence[Question]) -> float:
    """The temperature at which the truth is likeliest, by golden section on the mean nats of logits kept once."""
    if not questions:
        return 1.0

    def answer(distribution: Any, members: list[int], rows: Array) -> list[Any]:
        return [(distribution, truth(questions, members)), *[None] * (len(members) - 1)]

    kept = [batch for batch in reader.ask(questions, answer) if batch]

    def cost(t: float) -> float:
        return float(sum(d.tempered(t).nll(values).double().sum() for d, values in kept))

    return _golden(cost) if cost(0.5) != cost(2.0) else 1.0  # where nothing that was asked is to be seen, all cost nothing


def _joint_temperature(
    reader: Predictor, records: Sequence[Tokens], count: int, rng: np.random.Generator, config: DecodeConfig
) -> float:
    """The exponent by which best completions of 2 to 5 tokens are right as often as their probability says."""
    asked = [a for length in (2, 3, 4, 5) for a in stretches(records, max(count // 4, 1), length, rng)]
    if not asked:
        return 1.0
    log_prob, right = [], []
    for query, completions in zip(asked, best(reader, asked, config), strict=True):
        log_prob.append(completions[0].log_prob)
        right.append(is_right(query, completions[0].tokens))
    x, y = torch.tensor(log_prob).clamp(max=-1e-6), torch.tensor(right)

    def cost(t: float) -> float:
        p = (x / t).exp().clamp(1e-9, 1 - 1e-9)
        # A quarter of a success and a failure more: few spans must not make it sure of itself.
        return float(-torch.where(y, p.log(), (1 - p).log()).sum() + abs(np.log(t)))

    return _golden(cost)


def is_right(asked: Query, filled: Tokens) -> bool:
    """Every blank holds what stood there."""
    assert asked.truth is not None
    at = np.flatnonzero(~asked.tokens.present)
    return all(np.array_equal(filled.values[name][at], truth) for name, truth in asked.truth.items())


def _golden(cost: Any, low: float = 0.25, high: float = 4.0) -> float:
    """The minimum of a unimodal function of a positive number, on a log scale, to three digits."""
    a, b, ratio = float(np.log(low)), float(np.log(high)), (5**0.5 - 1) / 2
    for _ in range(18):
        c, d = b - ratio * (b - a), a + ratio * (b - a)
        if cost(float(np.exp(c))) < cost(float(np.exp(d))):
            b = d
        else:
            a = c
    return round(float(np.exp((a + b) / 2)), 4)
