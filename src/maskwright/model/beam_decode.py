"""Several blanks at once: read the distributions at all of them, commit the surest, read again.

In: queries cut into tokens, some of them absent. Out: their best completions with joint probabilities, or samples. A
joint probability is the product of the (calibrated) conditionals in decoding order. The best are sought by a beam, in
which every hypothesis fills its own surest blank; then each finished one is scored again, every blank given all the
others, and the two views are averaged (a product of the chain and the pseudo-likelihood): the order of committing
matters less, and an early mistake that the rest contradicts is found. Order, beam and sampling are the options of one loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from maskwright.errors import QueryError
from maskwright.modalities.base import Asked, Query
from maskwright.model.predictor import Predictor, Question, truth
from maskwright.model.windows import around
from maskwright.tokens import Array, Distribution, Tokens, grid

BEAM = 4


@dataclass(frozen=True, kw_only=True)
class DecodeConfig:
    beam: int = BEAM
    """Number of hypotheses that are kept for each query."""
    offers: int = 0
    """Number of candidates that are kept for the blank of a query that has only one."""
    rescore: bool = True
    """Whether finished hypotheses are scored again, every blank given all the others."""
    temperature: float = 1.0
    """Calibration temperature of the distribution at a single slot."""


Candidates = tuple[dict[str, Array], Array]
"""Values (k,) that may fill a blank, and their log probabilities (k,)."""


@dataclass
class Hypothesis:
    tokens: Tokens
    """Window of tokens around the blanks, some of which are filled."""
    left: Array
    """Indices into the window of the blanks that are still open."""
    log_prob: float = 0.0
    offers: Candidates | None = None
    """Candidates for the blank that was filled last; None before the first."""
    again: float | None = None
    """Sum of the log probabilities of each blank given all the others; None until they are asked for."""

    @property
    def rank(self) -> float:
        return self.log_prob if self.again is None else (self.log_prob + self.again) / 2


@dataclass(eq=False)
class Decoding:
    """Blanks of one query that are read together, under way."""

    query: Query
    number: int
    """Index of the query among those decoded together."""
    window: Array
    """Ascending indices into the query's tokens of those that are read together."""
    blanks: Array
    """Indices into the window of the blanks that are decoded."""
    beam: list[Hypothesis] = field(default_factory=list)


@dataclass(frozen=True)
class Completion:
    tokens: Tokens
    """Tokens of the whole query, with its blanks filled."""
    log_prob: float
    rank: float
    """Score by which completions are ordered: `log_prob` averaged with the pseudo-log-likelihood of the blanks."""
    offers: Candidates | None = None
    """All candidates for the blank of a query that has only one, likeliest first; None for other queries."""


Pick = tuple[Decoding, Hypothesis, int]
"""A blank to fill: the decoding and the hypothesis that it belongs to, and its index in their window."""
Choose = Callable[[Distribution, list[Pick]], list[Candidates]]
"""Function of a distribution with one row per pick, and of the picks, that returns the candidates for each."""


def begin(predictor: Predictor, queries: Sequence[Query]) -> list[Decoding]:
    """A window around every query's blanks; blanks too far apart for one window are decoded apart."""
    out = []
    for number, query in enumerate(queries):
        shape = query.tokens.shape
        for blanks in _groups(query.blanks, shape, predictor.most):
            window = around(shape, blanks, predictor.most)
            at = np.searchsorted(window, blanks)
            out.append(Decoding(query, number, window, at, [Hypothesis(query.tokens.take(window), at)]))
    return out


def _groups(blanks: Array, shape: tuple[int, ...], most: int) -> list[Array]:
    """Blanks that one window reads together: all of a record that fits into it, or those of boxes of half its sides, counted
    from the first, which leaves the rest for context."""
    if not len(blanks):
        return []
    (side,) = grid.sides(np.array([shape]), most)
    half = np.maximum(np.where(side < shape, side // 2, side), 1)
    place = np.stack(np.unravel_index(blanks, shape), axis=1)
    _, group = np.unique((place - place.min(0)) // half, axis=0, return_inverse=True)
    return [blanks[group == number] for number in range(int(group.max()) + 1)]


def _completions(queries: Sequence[Query], decodings: list[Decoding], most: int) -> list[list[Completion]]:
    """For each query, the `most` best combinations of what its groups of blanks came to."""
    out = [[Completion(query.tokens, 0.0, 0.0)] for query in queries]
    lone = [len(query.blanks) == 1 for query in queries]
    for d in decodings:
        combined = []
        for done in out[d.number]:
            for h in d.beam:
                values = {name: array[d.blanks] for name, array in h.tokens.values.items()}
                tokens = done.tokens.with_values(d.window[d.blanks], values)
                offers = h.offers if lone[d.number] else None
                combined.append(Completion(tokens, done.log_prob + h.log_prob, done.rank + h.rank, offers))
        out[d.number] = sorted(combined, key=lambda c: -c.rank)[:most]
    return out


def best(predictor: Predictor, queries: Sequence[Query], config: DecodeConfig) -> list[list[Completion]]:
    """The likeliest completions of each query, best first, distinct, `config.beam` at the most."""

    def likeliest(distribution: Distribution, picks: list[Pick]) -> list[Candidates]:
        values, log_probs = distribution.candidates(max(config.beam, config.offers))
        arrays = {n: v.cpu().numpy() for n, v in values.items()}
        out = []
        for row, found in enumerate(log_probs.double().cpu().numpy()):
            possible = np.isfinite(found)
            out.append(({n: v[row][possible] for n, v in arrays.items()}, found[possible]))
        return out

    decodings = begin(predictor, queries)
    _fill(predictor, decodings, config, likeliest)
    if config.rescore:
        _again(predictor, decodings, config)
    return _completions(queries, decodings, config.beam)


def forced(predictor: Predictor, queries: Sequence[Query], config: DecodeConfig) -> list[Completion]:
    """The joint log probability of each query's given completion (`Asked.truth`), its surest blank first."""

    def given(distribution: Distribution, picks: list[Pick]) -> list[Candidates]:
        place = [int(np.searchsorted(d.query.blanks, d.window[at])) for d, _, at in picks]
        truths = [d.query.truth or {} for d, _, _ in picks]
        values = {n: np.array([t[n][i] for t, i in zip(truths, place, strict=True)]) for n in truths[0]}
        log_probs = -distribution.nll(values).double().cpu().numpy()
        return [({n: v[i : i + 1] for n, v in values.items()}, log_probs[i : i + 1]) for i in range(len(picks))]

    decodings = begin(predictor, queries)
    _fill(predictor, decodings, config, given)
    if config.rescore:
        _again(predictor, decodings, config)
    return [only for [only] in _completions(queries, decodings, 1)]


def draws(predictor: Predictor, queries: Sequence[Query], seed: int, key: int, config: DecodeConfig) -> list[Completion]:
    """A sample of each completion, each blank from its conditional, the surest first. The i-th depends on its query,
    `key`, `seed` and i alone: the first of many are those of few."""
    decodings = begin(predictor, queries)
    rngs = [np.random.default_rng((seed, key, number)) for number in range(len(queries))]

    def drawn(distribution: Distribution, picks: list[Pick]) -> list[Candidates]:
        out = []
        for row, (d, _, _) in enumerate(picks):
            one = distribution.take([row])
            values = one.sample(rngs[d.number])
            out.append(({n: v.cpu().numpy() for n, v in values.items()}, -one.nll(values).double().cpu().numpy()))
        return out

    _fill(predictor, decodings, config, drawn)
    return [only for [only] in _completions(queries, decodings, 1)]


def _fill(predictor: Predictor, decodings: list[Decoding], config: DecodeConfig, choose: Choose) -> None:
    """Until nothing is open: every hypothesis fills its surest blank with each of the values that `choose` offers."""
    while open_ := [(d, h) for d in decodings for h in d.beam if h.left.size]:
        offers = iter(_surest(predictor, open_, config, choose))
        for d in decodings:
            grown: dict[bytes, Hypothesis] = {}
            for h in d.beam if d.beam[0].left.size else ():
                at, (values, log_probs) = next(offers)
                for k, log_p in enumerate(log_probs[: config.beam]):
                    new = _put(h, at, {n: a[k : k + 1] for n, a in values.items()}, float(log_p))
                    new.offers = values, log_probs
                    name = b"".join(a[d.blanks].tobytes() for a in new.tokens.values.values()) + new.left.tobytes()
                    if name not in grown or grown[name].log_prob < new.log_prob:
                        grown[name] = new
            if d.beam[0].left.size and not grown:
                fix = "write it without the space before it"
                raise QueryError("nothing at all can stand in this blank", fix=fix)
            if grown:
                d.beam = sorted(grown.values(), key=lambda h: -h.log_prob)[: config.beam]


def _surest(
    predictor: Predictor, open_: list[tuple[Decoding, Hypothesis]], config: DecodeConfig, choose: Choose
) -> list[tuple[int, Candidates]]:
    """Each open hypothesis' surest blank, and what may be put there."""

    def answer(distribution: Distribution, members: list[int], rows: Array) -> list[tuple[int, Candidates]]:
        these = [open_[m] for m in members]
        distribution = _calibrated(predictor, distribution, these, [h.left for _, h in these], config)
        certainty = distribution.certainty().cpu().numpy()
        row = [int(a + certainty[a:b].argmax()) for a, b in pairwise(rows)]
        at = [int(h.left[r - a]) for (_, h), r, a in zip(these, row, rows[:-1], strict=True)]
        picks = [(d, h, i) for (d, h), i in zip(these, at, strict=True)]
        return list(zip(at, choose(distribution.take(row), picks), strict=True))

    return predictor.ask([Question(h.tokens, ~h.tokens.present, h.left) for _, h in open_], answer)


def _calibrated(
    predictor: Predictor,
    distribution: Distribution,
    these: list[tuple[Decoding, Hypothesis]],
    at: list[Array],
    config: DecodeConfig,
) -> Any:
    where = [
        Asked(d.query, int(d.window[i]), h.tokens, int(i), d.blanks)
        for (d, h), indices in zip(these, at, strict=True)
        for i in indices
    ]
    return predictor.modality.restrict(distribution.tempered(config.temperature), where)


def _put(h: Hypothesis, at: int, values: dict[str, Array], log_p: float) -> Hypothesis:
    tokens = h.tokens.with_values(np.array([at]), values)
    return replace(h, tokens=tokens, left=h.left[h.left != at], log_prob=h.log_prob + log_p)


def _again(predictor: Predictor, decodings: list[Decoding], config: DecodeConfig) -> None:
    """Every blank of every finished hypothesis given all the others; of one blank there is nothing to ask."""
    pairs = [(d, h) for d in decodings if len(d.blanks) > 1 for h in d.beam]
    slots = [(d, h, int(i)) for d, h in pairs for i in d.blanks]
    questions = []
    for _, h, i in slots:
        hidden = ~h.tokens.present
        hidden[i] = True
        questions.append(Question(h.tokens, hidden, np.array([i])))

    def answer(distribution: Distribution, members: list[int], rows: Array) -> list[Any]:
        at = [np.array([slots[m][2]]) for m in members]
        distribution = _calibrated(predictor, distribution, [slots[m][:2] for m in members], at, config)
        return list(-distribution.nll(truth(questions, members)).double().cpu().numpy())

    answers = iter(predictor.ask(questions, answer))
    for _, h in pairs:
        h.again = 0.0
    for _, h, _ in slots:
        assert h.again is not None
        h.again += float(next(answers))
