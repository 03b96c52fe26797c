"""Queries with blanks answered: completions, ranked or drawn, with calibrated probabilities, and what may stand in each.

In: queries cut into tokens, of one or several lengths each. Out: a `Filling` for every query. Few blanks whose values can be
listed are sought by a beam, and get slots; many, or such that no list holds, are filled together (`iterative_decode.py`).
Here lengths are weighed against each other, probabilities calibrated, and tokens turned into values again. Which kind of
data they are is the modality's affair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from maskwright.errors import QueryError, option
from maskwright.modalities.base import Asked, Query
from maskwright.model import beam_decode, iterative_decode, span_length
from maskwright.model.beam_decode import Candidates, Completion, DecodeConfig
from maskwright.model.calibration import Calibration
from maskwright.model.numbers import share, whole
from maskwright.model.predictor import Predictor, Question
from maskwright.model.results import Filled, Filling, Slot
from maskwright.model.windows import around
from maskwright.records.record import Record, content
from maskwright.tokens import Array, Distribution, Tokens

MOST_SOUGHT = 512
"""Largest number of blanks of a query that a beam fills, each of which takes a forward pass of its own; more are filled
together."""
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class FillOptions:
    """What is asked of `fill`, checked when it is said. Raises QueryError where it makes no sense."""

    top_k: int = 5
    """Number of candidates listed for each slot."""
    n: int | None = None
    """Number of best distinct completions to list; None: no list."""
    draws: int | None = None
    """Number of samples to draw, which depend on the query and `seed` alone; None: no samples."""
    seed: int = 0
    targets: Sequence[str] | str | None = None
    """Values that the only blank may take; None: any."""
    coverage: float | None = None
    """Probability with which each slot's set of values, the smallest such set, holds the truth; None: no sets."""

    def __post_init__(self) -> None:
        checked: dict[str, Any] = {"top_k": whole(self.top_k, "top_k", 1), "seed": whole(self.seed, "seed", 0)}
        checked |= {name: whole(n, name, 1) for name, n in (("n", self.n), ("draws", self.draws)) if n is not None}
        if self.targets is not None:
            checked["targets"] = _checked_targets(self.targets)
        if self.coverage is not None:
            checked["coverage"] = share(self.coverage, "coverage")
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if sum(choice is not None for choice in (self.n, self.draws, self.targets)) > 1:
            raise QueryError("choose one of n, draws and targets", option="n")

    @property
    def lists(self) -> str:
        """The name of the option that asks for a list of what may stand at a blank, where one does."""
        asked = {"coverage": self.coverage, "n": self.n, "targets": self.targets}
        return next((name for name, value in asked.items() if value is not None), "")


def _checked_targets(given: Any) -> tuple[str, ...]:
    """One word, or several. Raises QueryError for none, and for what is no text."""
    targets = (given,) if isinstance(given, str) or not isinstance(given, Iterable) else tuple(given)
    if not targets:
        raise QueryError("targets is empty", fix="name at least one", option="targets")
    for number, target in enumerate(targets):
        if not isinstance(target, str):
            raise QueryError(f"targets[{number}]: expected text, got {type(target).__name__}", option="targets")
        if not target:
            fix = "every target needs at least one character"
            raise QueryError(f"targets[{number}] is empty", fix=fix, option="targets")
    return tuple(dict.fromkeys(map(str, targets)))


@dataclass(frozen=True)
class _Choice:
    """A completion of one variant of a query."""

    query: Query
    tokens: Tokens
    log_prob: float
    rank: float
    offers: Candidates | None
    """Candidates for the blank of a query that has only one, likeliest first; None for other queries."""


class Filler:
    """Answers queries by one predictor, with one calibration."""

    def __init__(self, predictor: Predictor, calibration: Calibration) -> None:
        self.predictor, self.modality, self.calibration = predictor, predictor.modality, calibration

    def check(self, options: FillOptions) -> None:
        """Raises QueryError for what can't be asked of this model, whatever the query."""
        if options.lists and not self.predictor.net.lists_values:
            what = f"of {self.modality.value_type.name} there are too many to list"
            raise QueryError(what, where=options.lists, fix="ask for draws", option=options.lists)
        if options.coverage is not None:
            self.calibration.level(options.coverage, 1)

    def fill(self, records: Sequence[Record], queries: list[list[Query]], options: FillOptions) -> list[Filling]:
        """Of every record its queries, one for each length that its blanks may have. Raises QueryError."""
        few = np.array([self._can_be_sought(variants) for variants in queries], dtype=bool)
        out: dict[int, Filling] = {}
        for method, chosen in ((self._seek, few), (self._fill_together, ~few)):
            numbers = np.flatnonzero(chosen).tolist()
            if numbers:
                found = method([records[i] for i in numbers], [queries[i] for i in numbers], options)
                out |= zip(numbers, found, strict=True)
        return [out[number] for number in range(len(records))]

    def _can_be_sought(self, variants: Sequence[Query]) -> bool:
        blanks = variants[-1].blanks
        return len(blanks) <= MOST_SOUGHT and bool(self.predictor.listable(variants[-1].tokens)[blanks].all())

    # A beam

    def _seek(self, records: Sequence[Record], queries: list[list[Query]], options: FillOptions) -> list[Filling]:
        beam = max(beam_decode.BEAM, options.n or 1)
        config = DecodeConfig(temperature=self.calibration.slot, beam=beam, offers=options.top_k)
        if options.targets is not None:
            chosen = self._forced(queries, config)
        elif options.draws is not None:
            chosen = self._drawn(records, queries, options.draws, options.seed, config)
        else:
            chosen = self._best(queries, options.n or 1, config)
        slots = self._slots([found[0] for found in chosen], options)
        several = options.n or options.draws or options.targets is not None
        out = []
        for found, own in zip(chosen, slots, strict=True):
            shown = [Filled(c.query.label or self.modality.decode(c.tokens, c.query), c.log_prob) for c in found]
            whole = self.modality.decode(found[0].tokens, found[0].query)
            out.append(Filling(whole, found[0].log_prob, own, shown if several else []))
        return out

    def _best(self, queries: list[list[Query]], most: int, config: DecodeConfig) -> list[list[_Choice]]:
        """The best completions of every query, over all lengths of its open blanks."""
        known = [variants[0] for variants in queries if len(variants) == 1]
        open_ = [variant for variants in queries if len(variants) > 1 for variant in variants]
        narrow = replace(config, beam=max(span_length.BEAM, most))
        sure = iter(beam_decode.best(self.predictor, known, config))
        unsure = iter(beam_decode.best(self.predictor, open_, narrow))
        out = []
        for variants in queries:
            found = [next(sure)] if len(variants) == 1 else [next(unsure) for _ in variants]
            shares = self._length_shares(variants, [best[0] for best in found], config)
            choices = [
                self._choice(query, one, share)
                for query, best, share in zip(variants, found, shares, strict=True)
                for one in best
            ]
            distinct: dict[bytes, _Choice] = {}
            for choice in sorted(choices, key=lambda c: -c.rank):
                distinct.setdefault(content(self.modality.decode(choice.tokens, choice.query)), choice)
            out.append(list(distinct.values())[:most])
        return out

    def _forced(self, queries: list[list[Query]], config: DecodeConfig) -> list[list[_Choice]]:
        """The given targets, likeliest first; of different lengths, each weighed by the probability of its length."""
        out = []
        for variants in queries:
            found = beam_decode.forced(self.predictor, variants, config)
            blanks = [len(query.blanks) for query in variants]
            shares = np.zeros(len(variants))
            if len(set(blanks)) > 1:
                lengths = span_length.variants(variants[0], max(self.modality.longest_blank, *blanks))
                best = [one for one, *_ in beam_decode.best(self.predictor, lengths, config)]
                shares = self._length_shares(lengths, best, config)[np.array(blanks) - 1]
            choices = [self._choice(*each) for each in zip(variants, found, shares, strict=True)]
            out.append(sorted(choices, key=lambda c: -c.log_prob))
        return out

    def _drawn(
        self, records: Sequence[Record], queries: list[list[Query]], draws: int, seed: int, config: DecodeConfig
    ) -> list[list[_Choice]]:
        """Samples: first a length, where it is open, then the tokens."""
        out = []
        for record, variants in zip(records, queries, strict=True):
            shares = np.zeros(1)
            if len(variants) > 1:
                found = [best for best, *_ in beam_decode.best(self.predictor, variants, config)]
                shares = self._length_shares(variants, found, config)
            rng = np.random.default_rng((seed, record.key))
            which = rng.choice(len(variants), size=draws, p=np.exp(shares))
            chosen = [variants[w] for w in which]
            drawn = beam_decode.draws(self.predictor, chosen, seed, record.key, config)
            out.append([self._choice(q, one, shares[w]) for q, one, w in zip(chosen, drawn, which, strict=True)])
        return out

    def _length_shares(self, variants: Sequence[Query], best: Sequence[Completion], config: DecodeConfig) -> Array:
        """(n,) log probability of each variant's length; 0 where there is one alone."""
        if len(variants) == 1:
            return np.zeros(1)
        weights = self.calibration.lengths(span_length.features(self.predictor, variants, best, config))
        return np.asarray(weights - np.logaddexp.reduce(weights))

    def _choice(self, query: Query, found: Completion, share: float) -> _Choice:
        blanks = len(query.blanks)
        log_prob = min(self.calibration.completion(found.log_prob, blanks) + float(share), 0.0)
        rank = self.calibration.completion(found.rank, blanks) + float(share)
        return _Choice(query, found.tokens, log_prob, rank, found.offers)

    def _slots(self, chosen: Sequence[_Choice], options: FillOptions) -> list[list[Slot]]:
        """What may stand at every blank token, the others as the completion fills them."""
        places = [(c, int(i)) for c in chosen for i in c.query.blanks]
        unread = [(c.tokens, c.query, i) for c, i in places if not _answered(c, options)]
        fresh = iter(self._read(unread, lambda d, place: _first_row(d.candidates(options.top_k))))
        read = [c.offers if c.offers and _answered(c, options) else next(fresh) for c, _ in places]
        regions: list[dict[str, Any] | None] = [None] * len(places)
        if options.coverage is not None:  # nothing that was guessed may make a set surer of itself
            levels = [self.calibration.level(options.coverage, len(c.query.blanks)) for c, _ in places]
            alone = [(c.query.tokens, c.query, i) for c, i in places]
            regions = [*self._read(alone, lambda d, at: d.region(levels[at])[0])]
        slots = iter(
            Slot(
                self.modality.label({n: v[: options.top_k] for n, v in values.items()}),
                [float(p) for p in np.exp(log_probs[: options.top_k])],
                int(c.query.tokens.where[i][0]),
                None if region is None else self.modality.label({n: v.cpu().numpy() for n, v in region.items()}),
            )
            for (c, i), (values, log_probs), region in zip(places, read, regions, strict=True)
        )
        return [[next(slots) for _ in c.query.blanks] for c in chosen]

    def _read(self, places: Sequence[tuple[Tokens, Query, int]], take: Callable[[Distribution, int], _T]) -> list[_T]:
        """`take(distribution, number)` of the calibrated one at each place, hidden together with whatever is absent."""
        questions, asked = [], []
        for tokens, query, i in places:
            own = around(tokens.shape, np.array([i]), self.predictor.most)
            window, at = tokens.take(own), np.searchsorted(own, [i])
            hidden = ~window.present
            hidden[at] = True
            questions.append(Question(window, hidden, at))
            together = np.flatnonzero(np.isin(own, query.blanks))
            asked.append(Asked(query, i, window, int(at[0]), together))

        def answer(distribution: Distribution, members: list[int], rows: Array) -> list[_T]:
            calibrated = distribution.tempered(self.calibration.slot)
            possible = self.modality.restrict(calibrated, [asked[m] for m in members])
            return [take(possible.take([row]), member) for row, member in enumerate(members)]

        return self.predictor.ask(questions, answer)

    # All together

    def _fill_together(self, records: Sequence[Record], queries: list[list[Query]], options: FillOptions) -> list[Filling]:
        """Where blanks are many, or no list holds what may stand there: no candidates, no slots."""
        config = DecodeConfig(temperature=self.calibration.slot)
        for record, variants in zip(records, queries, strict=True):
            if options.lists:
                what = f"what may stand at its {len(variants[0].blanks):,} blanks can't be listed"
                raise QueryError(what, where=record.source, fix=f"ask for {option('draws')}", option=options.lists)
            if options.draws is None and not variants[0].informed:
                fix = "leave a part to go by, or ask for draws"
                raise QueryError("nothing of it is known", where=record.source, fix=fix)
        chosen = [variants[0] for variants in queries]  # each of known length: an open one has few blanks
        if options.draws is None:
            found = [[one] for one in iterative_decode.best(self.predictor, chosen, config)]
        else:
            found = [
                iterative_decode.draws(self.predictor, [query] * options.draws, options.seed, record.key, config)
                for record, query in zip(records, chosen, strict=True)
            ]
        out = []
        for query, completions in zip(chosen, found, strict=True):
            shown = [Filled(self.modality.decode(c.tokens, query), c.log_prob) for c in completions]
            out.append(Filling(shown[0].value, shown[0].log_prob, [], shown if options.draws else []))
        return out


def _answered(choice: _Choice, options: FillOptions) -> bool:
    """Whether decoding has read already what may stand at its only blank: draws and targets were offered one value."""
    return choice.offers is not None and options.draws is None and options.targets is None


def _first_row(candidates: tuple[dict[str, Any], Any]) -> Candidates:
    """Values and log probabilities that are possible, of one position."""
    values, log_probs = candidates
    possible = log_probs[0].isfinite()
    return {n: v[0][possible].cpu().numpy() for n, v in values.items()}, log_probs[0][possible].double().cpu().numpy()
