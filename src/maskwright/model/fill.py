"""Queries with blanks answered: completions, ranked or drawn, with calibrated probabilities, and what may stand in each.

In: queries cut into tokens, of one or several lengths each. Out: a `Filling` for every query. Decoding seeks the tokens;
here lengths are weighed against each other, probabilities calibrated, and tokens turned into values again. Which kind of
data they are is the modality's affair.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from maskwright.errors import QueryError
from maskwright.modalities.base import Query
from maskwright.model import beam_decode, iterative_decode, span_length
from maskwright.model.beam_decode import Completion, DecodeConfig
from maskwright.model.calibration import Calibration
from maskwright.model.predictor import Predictor, Question
from maskwright.model.results import Filled, Filling, Slot
from maskwright.model.windows import around
from maskwright.records.fields import content
from maskwright.records.read import Record
from maskwright.tokens import Array, Tokens


@dataclass(frozen=True)
class FillOptions:
    """What was asked of `fill`."""

    top_k: int
    n: int | None
    draws: int | None
    seed: int
    targets: Sequence[str] | None
    coverage: float | None


@dataclass(frozen=True)
class _Choice:
    """A completion of one variant of a query."""

    asked: Query
    tokens: Tokens
    log_prob: float
    rank: float
    offers: tuple[dict[str, Array], Array] | None
    """of a lone blank: what may stand there, likeliest first"""


class Filler:
    """Answers queries by one reader, with one calibration."""

    def __init__(self, reader: Predictor, calibration: Calibration) -> None:
        self.reader, self.modality, self.calibration = reader, reader.modality, calibration

    def fill(self, records: Sequence[Record], asked: list[list[Query]], options: FillOptions) -> list[Filling]:
        """Of every record its queries, one for each length that its blanks may have."""
        return (self._fill if self.modality.exact else self._infill)(records, asked, options)

    def _fill(self, records: Sequence[Record], asked: list[list[Query]], options: FillOptions) -> list[Filling]:
        config = DecodeConfig(
            temperature=self.calibration.slot, beam=max(beam_decode.BEAM, options.n or 1), offers=options.top_k
        )
        seek = self._forced if options.targets is not None else self._drawn if options.draws else self._best
        chosen = seek(records, asked, options, config)
        slots = self._slots([found[0] for found in chosen], options)
        several = options.n or options.draws or options.targets is not None
        out = []
        for found, own in zip(chosen, slots, strict=True):
            shown = [Filled(c.asked.label or self.modality.decode(c.tokens, c.asked), c.log_prob) for c in found]
            whole = self.modality.decode(found[0].tokens, found[0].asked)
            out.append(Filling(whole, found[0].log_prob, own, shown if several else []))
        return out

    def _infill(self, records: Sequence[Record], asked: list[list[Query]], options: FillOptions) -> list[Filling]:
        """Where blanks are many and alike: no candidates, no slots."""
        config = DecodeConfig(temperature=self.calibration.slot)
        queries = [only for [only] in asked]
        if options.draws is None:
            for record, query in zip(records, queries, strict=True):
                if not query.informed:
                    raise QueryError(f"{record.source}: nothing of it is known; leave a part to go by, or ask for draws")
            found = [[one] for one in iterative_decode.best(self.reader, queries, config)]
        else:
            found = [
                iterative_decode.draws(self.reader, [query] * options.draws, options.seed, record.key, config)
                for record, query in zip(records, queries, strict=True)
            ]
        out = []
        for query, completions in zip(queries, found, strict=True):
            shown = [Filled(self.modality.decode(c.tokens, query), c.log_prob) for c in completions]
            out.append(Filling(shown[0].value, shown[0].log_prob, [], shown if options.draws else []))
        return out

    def _best(
        self, records: Sequence[Record], asked: list[list[Query]], options: FillOptions, config: DecodeConfig
    ) -> list[list[_Choice]]:
        """The best completions of every query, over all lengths of its open blanks."""
        known = [variants[0] for variants in asked if len(variants) == 1]
        open_ = [variant for variants in asked if len(variants) > 1 for variant in variants]
        few = replace(config, beam=max(span_length.BEAM, options.n or 1))
        sure, unsure = iter(beam_decode.best(self.reader, known, config)), iter(beam_decode.best(self.reader, open_, few))
        out = []
        for variants in asked:
            found = [next(sure)] if len(variants) == 1 else [next(unsure) for _ in variants]
            shares = self._length_shares(variants, [best[0] for best in found], config)
            choices = [
                self._choice(query, one, share)
                for query, best, share in zip(variants, found, shares, strict=True)
                for one in best
            ]
            distinct: dict[bytes, _Choice] = {}
            for choice in sorted(choices, key=lambda c: -c.rank):
                distinct.setdefault(content(self.modality.decode(choice.tokens, choice.asked)), choice)
            out.append(list(distinct.values())[: options.n or 1])
        return out

    def _forced(
        self, records: Sequence[Record], asked: list[list[Query]], options: FillOptions, config: DecodeConfig
    ) -> list[list[_Choice]]:
        """The given targets, likeliest first; of different lengths, each weighed by the probability of its length."""
        out = []
        for variants in asked:
            found = beam_decode.forced(self.reader, variants, config)
            blanks = [_blanks(query) for query in variants]
            shares = np.zeros(len(variants))
            if len(set(blanks)) > 1:
                lengths_ = span_length.variants(variants[0], max(span_length.LONGEST, *blanks))
                best = [one for one, *_ in beam_decode.best(self.reader, lengths_, config)]
                shares = self._length_shares(lengths_, best, config)[np.array(blanks) - 1]
            choices = [self._choice(*each) for each in zip(variants, found, shares, strict=True)]
            out.append(sorted(choices, key=lambda c: -c.log_prob))
        return out

    def _drawn(
        self, records: Sequence[Record], asked: list[list[Query]], options: FillOptions, config: DecodeConfig
    ) -> list[list[_Choice]]:
        """Samples: first a length, where it is open, then the tokens."""
        assert options.draws is not None
        out = []
        for record, variants in zip(records, asked, strict=True):
            shares = np.zeros(1)
            if len(variants) > 1:
                found = [best for best, *_ in beam_decode.best(self.reader, variants, config)]
                shares = self._length_shares(variants, found, config)
            rng = np.random.default_rng((options.seed, record.key))
            which = rng.choice(len(variants), size=options.draws, p=np.exp(shares))
            queries = [variants[w] for w in which]
            drawn = beam_decode.draws(self.reader, queries, options.seed, record.key, config)
            out.append([self._choice(q, one, shares[w]) for q, one, w in zip(queries, drawn, which, strict=True)])
        return out

    def _length_shares(self, variants: Sequence[Query], best: Sequence[Completion], config: DecodeConfig) -> Array:
        """(n,) log probability of each variant's length; 0 where there is one alone."""
        if len(variants) == 1:
            return np.zeros(1)
        weights = self.calibration.lengths(span_length.features(self.reader, variants, best, config))
        return np.asarray(weights - np.logaddexp.reduce(weights))

    def _choice(self, asked: Query, found: Completion, share: float) -> _Choice:
        blanks = _blanks(asked)
        log_prob = min(self.calibration.completion(found.log_prob, blanks) + float(share), 0.0)
        rank = self.calibration.completion(found.rank, blanks) + float(share)
        return _Choice(asked, found.tokens, log_prob, rank, found.offers)

    def _slots(self, chosen: Sequence[_Choice], options: FillOptions) -> list[list[Slot]]:
        """What may stand at every blank token, the others as the completion fills them."""
        places = [(c, int(i)) for c in chosen for i in np.flatnonzero(~c.asked.tokens.present)]
        unread = [(c.tokens, c.asked, i) for c, i in places if not _answered(c, options)]
        fresh = iter(self._read(unread, lambda d, place: _first_row(d.candidates(options.top_k))))
        read = [c.offers if c.offers and _answered(c, options) else next(fresh) for c, _ in places]
        regions: list[Any] = [None] * len(places)
        if options.coverage is not None:  # nothing that was guessed may make a set surer of itself
            levels = [self.calibration.level(options.coverage, _blanks(c.asked)) for c, _ in places]
            regions = self._read([(c.asked.tokens, c.asked, i) for c, i in places], lambda d, at: d.region(levels[at])[0])
        slots = iter(
            Slot(
                self.modality.label({n: v[: options.top_k] for n, v in values.items()}),
                [float(p) for p in np.exp(log_probs[: options.top_k])],
                int(c.asked.tokens.where[i][0]),
                None if region is None else self.modality.label({n: v.cpu().numpy() for n, v in region.items()}),
            )
            for (c, i), (values, log_probs), region in zip(places, read, regions, strict=True)
        )
        return [[next(slots) for _ in range(_blanks(c.asked))] for c in chosen]

    def _read(self, places: Sequence[tuple[Tokens, Query, int]], take: Callable[[Any, int], Any]) -> list[Any]:
        """`take(distribution, number)` of the calibrated one at each place, hidden together with whatever is absent."""
        questions = []
        for tokens, _, i in places:
            own = around(tokens.shape, np.array([i]), self.reader.most)
            window, at = tokens.take(own), np.searchsorted(own, [i])
            hidden = ~window.present
            hidden[at] = True
            questions.append(Question(window, hidden, at))

        def answer(distribution: Any, members: list[int], rows: Array) -> list[Any]:
            calibrated = distribution.tempered(self.calibration.slot)
            whole = self.modality.restrict(calibrated, [places[m][1:] for m in members])
            return [take(whole.take([row]), member) for row, member in enumerate(members)]

        return self.reader.ask(questions, answer)


def _answered(choice: _Choice, options: FillOptions) -> bool:
    """Whether decoding has read already what may stand at its only blank: draws and targets were offered one value."""
    return choice.offers is not None and options.draws is None and options.targets is None


def _first_row(candidates: tuple[dict[str, Any], Any]) -> tuple[dict[str, Array], Array]:
    """Values and log probabilities that are possible, of one position."""
    values, log_probs = candidates
    possible = log_probs[0].isfinite()
    return {n: v[0][possible].cpu().numpy() for n, v in values.items()}, log_probs[0][possible].double().cpu().numpy()


def _blanks(asked: Query) -> int:
    return int((~asked.tokens.present).sum())
