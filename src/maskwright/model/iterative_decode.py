"""Blanks by the hundred: read all of them, keep the surest, read again.

In: queries cut into tokens, many of them absent, of any extent. Out: a completion of each, the likeliest or a draw. Every
reading looks through windows that cover the record, and a blank is answered by the window in whose middle it lies. Windows
that show too little wait until the others have filled what is beside them. A likeliest completion takes all that a window
answers at once: read together, neighbouring blanks agree. Of a draw a reading keeps the surest part, and the next sees it
(MaskGIT: Chang et al., 2022, section 3.2). The joint probability is the product of the conditionals in that order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from maskwright.modalities.base import Asked, Query
from maskwright.model.beam_decode import Completion, DecodeConfig
from maskwright.model.predictor import Predictor, Question
from maskwright.model.windows import Windows, windows
from maskwright.tokens import Array, Distribution, Tokens

READINGS = 8
"""Forward passes over each window, for a draw, and for blanks whose values can be listed."""
DRAWN = 0.7
"""Temperature of a draw: of many blanks beside each other, each need only now and then be improbable for all to look so
(LOG.md#sample-temperature). The probability that is reported is that at temperature 1."""
SHOWN = 0.25
"""Share of a window's tokens that must be known before it is read; below it, the window waits for others."""

Reading = tuple[int, int, int]
"""One reading of a window: the query's index, the window's index, and how often that window has answered before, by which
draws differ."""
Take = Callable[[Distribution, list[tuple[Reading, int]]], dict[str, Any]]
"""Function of a distribution, and of the readings with the number of rows of each, that returns one value per row."""


class Chances:
    """Generators end to end, each for so many rows: what one of them gives doesn't depend on the others."""

    def __init__(self, parts: Sequence[tuple[np.random.Generator, int]]) -> None:
        self.parts = parts

    def random(self, size: tuple[int, ...]) -> Array:
        return np.concatenate([rng.random((rows, *size[1:])) for rng, rows in self.parts])

    def integers(self, low: int, high: int, size: tuple[int, ...]) -> Array:
        return np.concatenate([rng.integers(low, high, (rows, *size[1:])) for rng, rows in self.parts])


@dataclass(eq=False)
class _Query:
    """One query under way; its values fill up in place."""

    query: Query
    tokens: Tokens
    cuts: Windows
    left: Array
    """Indices into the query's tokens, of the blanks that are still open."""
    readings: int
    log_prob: float = 0.0
    turns: Counter[int] = field(default_factory=Counter)
    """Number of times that each window has answered, by the window's index."""

    @classmethod
    def of(cls, query: Query, most: int, readings: int) -> _Query:
        own = query.tokens
        tokens = replace(own, values={n: a.copy() for n, a in own.values.items()}, present=own.present.copy())
        return cls(query, tokens, windows(own.shape, most), query.blanks, readings)

    def due(self) -> list[tuple[int, Array]]:
        """Windows that can answer now, and the open tokens that are theirs."""
        owner = self.cuts.owner[self.left]
        open_ = np.unique(owner)
        shown = np.array([self.tokens.present[self.cuts.tokens[w]].mean() for w in open_])
        enough = min(SHOWN, float(shown.max()))
        return [(int(w), self.left[owner == w]) for w, share in zip(open_, shown, strict=True) if share >= enough]

    def count(self, window: int, open_: int) -> int:
        """How many of its open tokens a window fills in this reading."""
        return -(-open_ // max(self.readings - self.turns[window], 1))

    def put(self, window: int, at: Array, values: dict[str, Array], log_prob: float) -> None:
        for name, array in values.items():
            self.tokens.values[name][at] = array
        self.tokens.present[at] = True
        self.left = np.setdiff1d(self.left, at, assume_unique=True)
        self.log_prob += log_prob
        self.turns[window] += 1

    def completion(self) -> Completion:
        return Completion(self.tokens, self.log_prob, self.log_prob)


def best(predictor: Predictor, queries: Sequence[Query], config: DecodeConfig) -> list[Completion]:
    """The likeliest value of every blank, given what is known and what lay nearer to it."""
    # What can be listed is right or wrong, and a wrong neighbour misleads: the surest are kept, as in a draw.
    exact = [bool(predictor.listable(query.tokens)[query.blanks].all()) for query in queries]
    readings = [READINGS if yes else 1 for yes in exact]
    return _filled(predictor, queries, readings, config, lambda distribution, turns: distribution.mode())


def draws(predictor: Predictor, queries: Sequence[Query], seed: int, key: int, config: DecodeConfig) -> list[Completion]:
    """A sample of each. The i-th depends on its query, `key`, `seed` and i alone."""

    def drawn(distribution: Distribution, turns: list[tuple[Reading, int]]) -> dict[str, Any]:
        parts = [(np.random.default_rng((seed, key, *turn)), rows) for turn, rows in turns]
        return dict(distribution.calm(DRAWN).sample(Chances(parts)))

    return _filled(predictor, queries, [READINGS] * len(queries), config, drawn)


def _filled(
    predictor: Predictor, queries: Sequence[Query], readings: Sequence[int], config: DecodeConfig, take: Take
) -> list[Completion]:
    """Every query filled, in so many readings of each of its windows."""
    running = [_Query.of(query, predictor.most, count) for query, count in zip(queries, readings, strict=True)]
    while due := [(q, window, open_) for q, query in enumerate(running) if query.left.size for window, open_ in query.due()]:
        for (q, window, _), answer in zip(due, _read(predictor, running, due, config, take), strict=True):
            running[q].put(window, *answer)
    return [query.completion() for query in running]


def _read(
    predictor: Predictor, queries: list[_Query], due: list[tuple[int, int, Array]], config: DecodeConfig, take: Take
) -> list[tuple[Array, dict[str, Array], float]]:
    """Of every window that is due: which tokens it fills, with what, and how likely that was."""
    questions = []
    for q, window, open_ in due:
        own = queries[q].cuts.tokens[window]
        piece = queries[q].tokens.take(own)
        questions.append(Question(piece, ~piece.present, np.searchsorted(own, open_)))

    def answer(distribution: Distribution, members: list[int], rows: Array) -> list[tuple[Array, dict[str, Array], float]]:
        # Many are filled by one reading, without regard to each other.
        where = [
            Asked(queries[due[m][0]].query, int(i), questions[m].tokens, int(at), np.array([at]))
            for m in members
            for i, at in zip(due[m][2], questions[m].at, strict=True)
        ]
        whole = predictor.modality.restrict(distribution.tempered(config.temperature), where)
        certainty = whole.certainty().cpu().numpy()
        surest, turns = [], []
        for member, (a, b) in zip(members, pairwise(rows), strict=True):
            q, window, open_ = due[member]
            surest.append(np.sort(np.argsort(-certainty[a:b], kind="stable")[: queries[q].count(window, len(open_))]))
            turns.append(((q, window, queries[q].turns[window]), len(surest[-1])))
        part = whole.take(np.concatenate([a + own for a, own in zip(rows, surest, strict=False)]))
        values = take(part, turns)
        stood = [queries[due[m][0]].tokens.take(due[m][2][own]).values for m, own in zip(members, surest, strict=True)]
        besides = {n: np.concatenate([v[n] for v in stood]) for n in stood[0] if n not in values}
        nats = part.nll(besides | values).double().cpu().numpy()
        arrays = {n: v.cpu().numpy() for n, v in values.items()}
        ends = np.cumsum([0] + [len(own) for own in surest])
        return [
            (due[m][2][own], {n: v[a:b] for n, v in arrays.items()}, -float(nats[a:b].sum()))
            for m, own, (a, b) in zip(members, surest, pairwise(ends), strict=True)
        ]

    return predictor.ask(questions, answer)
