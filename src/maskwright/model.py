"""A trained model and its verbs: fill, score, embed.

In: a model folder; then one record or any number of them. Out: answers of the matching shape, with calibrated
probabilities. Every verb is read off the same distributions; which kind of data they stand for is the modality's affair.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch

from maskwright import folder
from maskwright.beside import beside
from maskwright.errors import QueryError
from maskwright.infer import decode, infill, lengths
from maskwright.infer.calibration import Calibration
from maskwright.infer.decode import Completion, DecodeConfig
from maskwright.infer.reader import Question, Reader
from maskwright.infer.score import PASSES, score
from maskwright.infer.windows import around, windows
from maskwright.modalities.base import Asked, Modality
from maskwright.nets import machine
from maskwright.nets.masked import MaskedNet
from maskwright.records.fields import content
from maskwright.records.pictures import Picture
from maskwright.records.read import Record, each_of
from maskwright.results import Filled, Filling, Score, Slot
from maskwright.tokens import Array, Tokens

PRECISIONS = ("float32", "bfloat16")
One = str | Record | Picture | Array
"""one value, of which a verb gives one answer; or one of Pillow's images, or a path to a picture"""
GROUP_SIZE = 500_000
"""bytes of records that are answered together: bounds memory, whatever streams in"""


class Model:
    """A net, its modality and its calibration. `model.net` is a torch module, for whoever wants to go on from it."""

    def __init__(self, net: MaskedNet, modality: Modality, about: dict[str, Any]) -> None:
        self.net, self.modality, self.about = net, modality, about
        saved = about.get("calibration")
        self.calibration = Calibration.from_json(saved) if saved else Calibration()
        self.reader = Reader(net, modality)

    # fill

    @overload
    def fill(  # type: ignore[overload-overlap] # a string is an iterable of strings, and stands for itself
        self,
        query: One,
        *,
        top_k: int = ...,
        n: int | None = ...,
        draws: int | None = ...,
        seed: int = ...,
        targets: Sequence[str] | None = ...,
        coverage: float | None = ...,
        mask: Any = ...,
    ) -> Filling: ...
    @overload
    def fill(
        self,
        query: Iterable[Any],
        *,
        top_k: int = ...,
        n: int | None = ...,
        draws: int | None = ...,
        seed: int = ...,
        targets: Sequence[str] | None = ...,
        coverage: float | None = ...,
        mask: Any = ...,
    ) -> list[Filling]: ...
    def fill(
        self,
        query: Any,
        *,
        top_k: int = 5,
        n: int | None = None,
        draws: int | None = None,
        seed: int = 0,
        targets: Sequence[str] | None = None,
        coverage: float | None = None,
        mask: Any = None,
    ) -> Filling | list[Filling]:
        """Fills the blanks of one query, or of each of many.

        `n`: that many best distinct completions. `draws`: that many samples, which depend on the query and `seed`
        alone. `targets`: the blank is one of these, scored jointly. `coverage`: every slot also gets the smallest set
        of values that holds the truth with that probability. `mask`: what to fill of a picture, as a picture that is white
        there, or an array of bools. Raises QueryError, DataError.
        """
        for name, number in (("top_k", top_k), ("n", n), ("draws", draws)):
            if number is not None and number < 1:
                raise QueryError(f"{name} must be at least 1, got {number}")
        if sum(choice is not None for choice in (n, draws, targets)) > 1:
            raise QueryError("choose one of n, draws and targets")
        if targets is not None and not targets:
            raise QueryError("targets is empty; name at least one")
        if seed < 0:
            raise QueryError(f"seed must be at least 0, got {seed}")
        if not self.modality.exact:
            for name, given in (("coverage", coverage), ("n", n), ("targets", targets)):
                if given is not None:
                    raise QueryError(f"{name}: of {self.modality.form.name} there are too many to list; ask for draws")
        if coverage is not None:
            self.calibration.level(coverage, 1)
        options = _Options(top_k, n, draws, seed, targets, coverage)
        records = self._records(query, "query")
        if mask is not None:
            form, hidden = self.modality.form, self.modality.form.mask(mask)
            records = (replace(r, value=form.masked(r.value, hidden, r.source)) for r in records)
        groups = self._groups(records)
        asked = beside(((g, [self.modality.blanks(record, targets) for record in g]) for g in groups), 1)
        fill = self._fill if self.modality.exact else self._infill
        found = [filling for group, variants in asked for filling in fill(group, variants, options)]
        return found[0] if self._alone(query) else found

    def _fill(self, records: Sequence[Record], asked: list[list[Asked]], options: _Options) -> list[Filling]:
        config = DecodeConfig(temperature=self.calibration.slot, beam=max(decode.BEAM, options.n or 1), offers=options.top_k)
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

    def _infill(self, records: Sequence[Record], asked: list[list[Asked]], options: _Options) -> list[Filling]:
        """Where blanks are many and alike: no candidates, no slots."""
        config = DecodeConfig(temperature=self.calibration.slot)
        queries = [only for [only] in asked]
        if options.draws is None:
            for record, query in zip(records, queries, strict=True):
                if not query.tokens.present.any():
                    raise QueryError(f"{record.source}: nothing of it is known; leave a part to go by, or ask for draws")
            found = [[one] for one in infill.best(self.reader, queries, config)]
        else:
            found = [
                infill.draws(self.reader, [query] * options.draws, options.seed, record.key, config)
                for record, query in zip(records, queries, strict=True)
            ]
        out = []
        for query, completions in zip(queries, found, strict=True):
            shown = [Filled(self.modality.decode(c.tokens, query), c.log_prob) for c in completions]
            out.append(Filling(shown[0].value, shown[0].log_prob, [], shown if options.draws else []))
        return out

    def _best(
        self, records: Sequence[Record], asked: list[list[Asked]], options: _Options, config: DecodeConfig
    ) -> list[list[_Choice]]:
        """The best completions of every query, over all lengths of its open blanks."""
        known = [variants[0] for variants in asked if len(variants) == 1]
        open_ = [variant for variants in asked if len(variants) > 1 for variant in variants]
        few = replace(config, beam=max(lengths.BEAM, options.n or 1))
        sure, unsure = iter(decode.best(self.reader, known, config)), iter(decode.best(self.reader, open_, few))
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
        self, records: Sequence[Record], asked: list[list[Asked]], options: _Options, config: DecodeConfig
    ) -> list[list[_Choice]]:
        """The given targets, likeliest first; of different lengths, each weighed by the probability of its length."""
        out = []
        for variants in asked:
            found = decode.forced(self.reader, variants, config)
            blanks = [_blanks(query) for query in variants]
            shares = np.zeros(len(variants))
            if len(set(blanks)) > 1:
                lengths_ = lengths.variants(variants[0], max(lengths.LONGEST, *blanks))
                best = [one for one, *_ in decode.best(self.reader, lengths_, config)]
                shares = self._length_shares(lengths_, best, config)[np.array(blanks) - 1]
            choices = [self._choice(*each) for each in zip(variants, found, shares, strict=True)]
            out.append(sorted(choices, key=lambda c: -c.log_prob))
        return out

    def _drawn(
        self, records: Sequence[Record], asked: list[list[Asked]], options: _Options, config: DecodeConfig
    ) -> list[list[_Choice]]:
        """Samples: first a length, where it is open, then the tokens."""
        assert options.draws is not None
        out = []
        for record, variants in zip(records, asked, strict=True):
            shares = np.zeros(1)
            if len(variants) > 1:
                found = [best for best, *_ in decode.best(self.reader, variants, config)]
                shares = self._length_shares(variants, found, config)
            rng = np.random.default_rng((options.seed, record.key))
            which = rng.choice(len(variants), size=options.draws, p=np.exp(shares))
            queries = [variants[w] for w in which]
            drawn = decode.draws(self.reader, queries, options.seed, record.key, config)
            out.append([self._choice(q, one, shares[w]) for q, one, w in zip(queries, drawn, which, strict=True)])
        return out

    def _length_shares(self, variants: Sequence[Asked], best: Sequence[Completion], config: DecodeConfig) -> Array:
        """(n,) log probability of each variant's length; 0 where there is one alone."""
        if len(variants) == 1:
            return np.zeros(1)
        weights = self.calibration.lengths(lengths.features(self.reader, variants, best, config))
        return np.asarray(weights - np.logaddexp.reduce(weights))

    def _choice(self, asked: Asked, found: Completion, share: float) -> _Choice:
        blanks = _blanks(asked)
        log_prob = min(self.calibration.completion(found.log_prob, blanks) + float(share), 0.0)
        rank = self.calibration.completion(found.rank, blanks) + float(share)
        return _Choice(asked, found.tokens, log_prob, rank, found.offers)

    def _slots(self, chosen: Sequence[_Choice], options: _Options) -> list[list[Slot]]:
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

    def _read(self, places: Sequence[tuple[Tokens, Asked, int]], take: Callable[[Any, int], Any]) -> list[Any]:
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

    # score and embed

    @overload
    def score(self, record: One, passes: int | str = PASSES) -> Score: ...  # type: ignore[overload-overlap]
    @overload
    def score(self, record: Iterable[Any], passes: int | str = PASSES) -> list[Score]: ...
    def score(self, record: Any, passes: int | str = PASSES) -> Score | list[Score]:
        """How strange each record is: negative pseudo-log-likelihood in nats, in all and for each token.

        Every token is scored exactly once, in `passes` masks with disjoint targets; "all" hides one token at a time
        (with its word's later ones) and is exact. Raises QueryError.
        """
        out = []
        for group, encoded in self._encoded(self._records(record)):
            found = score(self.reader, encoded, [r.key for r in group], passes)
            for tokens, values in zip(encoded, found, strict=True):
                known = tokens.take(tokens.present)
                places = [tuple(map(int, where)) for where in known.where]
                nats = values[tokens.present].tolist()
                out.append(Score(float(values.sum()), nats, self.modality.label(known.values), places))
        return out[0] if self._alone(record) else out

    def threshold(self, false_alarms: float, passes: int | str = PASSES) -> float:
        """Nats a token (`Score.mean`) that records like those trained on exceed that often: a conformal quantile of held-out
        ones. Raises QueryError where so rare an alarm can't be promised."""
        if passes != PASSES:
            raise QueryError(f"the threshold is for {PASSES} passes; leave passes out")
        return self.calibration.threshold(false_alarms)

    def embed(self, record: Any) -> Array:
        """(n, W) float32 rows of unit length, or (W,) for one record: the mean of the final states of all tokens that are
        known."""
        out = [self._embed(encoded) for _, encoded in self._encoded(self._records(record))]
        rows = np.concatenate(out) if out else np.zeros((0, self.net.config.width), dtype=np.float32)
        return rows[0] if self._alone(record) else rows

    def _encoded(self, records: Iterable[Record]) -> Iterator[tuple[Sequence[Record], list[Tokens]]]:
        """Records in groups, with their tokens, the next of which are cut while the net reads."""
        return beside(((group, self.modality.encode(group)) for group in self._groups(records)), 1)

    def _records(self, values: Any, name: str = "input") -> Iterator[Record]:
        return each_of(values, name, self.modality.form)

    def _alone(self, values: Any) -> bool:
        return isinstance(values, Record) or self.modality.form.alone(values)

    def _groups(self, records: Iterable[Record]) -> Iterator[list[Record]]:
        """Records that are answered together."""
        group: list[Record] = []
        size = 0
        for record in records:
            group.append(record)
            size += self.modality.size(record)
            if size > GROUP_SIZE:
                yield group
                group, size = [], 0
        if group:
            yield group

    def _embed(self, records: Sequence[Tokens]) -> Array:
        pieces, owners, kept = [], [], []
        frame = self.modality.frame_size
        before = (frame + 1) // 2
        for number, tokens in enumerate(records):
            cuts = windows(tokens.shape, self.reader.most)
            last = len(cuts.tokens) - 1
            for w, own in enumerate(cuts.tokens):
                pieces.append(tokens.take(own))
                owners.append(number)
                # Every token counts once, where it lies most central; the frame at the two ends of the record.
                mine = (cuts.owner[own] == w) & tokens.present[own]
                kept.append(np.array([w == 0] * before + list(mine) + [w == last] * (frame - before), dtype=bool))
        sums = np.zeros((len(records), self.net.config.width))
        counts = np.zeros((len(records), 1))
        for states, number, mine in zip(self.reader.states(pieces), owners, kept, strict=True):
            sums[number] += states[mine].sum(0, dtype=np.float64)
            counts[number] += mine.sum()
        mean = sums / np.maximum(counts, 1)
        return (mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)).astype(np.float32)


@dataclass(frozen=True)
class _Options:
    top_k: int
    n: int | None
    draws: int | None
    seed: int
    targets: Sequence[str] | None
    coverage: float | None


@dataclass(frozen=True)
class _Choice:
    """A completion of one variant of a query."""

    asked: Asked
    tokens: Tokens
    log_prob: float
    rank: float
    offers: tuple[dict[str, Array], Array] | None
    """of a lone blank: what may stand there, likeliest first"""


def _answered(choice: _Choice, options: _Options) -> bool:
    """Whether decoding has read already what may stand at its only blank: draws and targets were offered one value."""
    return choice.offers is not None and options.draws is None and options.targets is None


def _first_row(candidates: tuple[dict[str, Any], Any]) -> tuple[dict[str, Array], Array]:
    """Values and log probabilities that are possible, of one position."""
    values, log_probs = candidates
    possible = log_probs[0].isfinite()
    return {n: v[0][possible].cpu().numpy() for n, v in values.items()}, log_probs[0][possible].double().cpu().numpy()


def _blanks(asked: Asked) -> int:
    return int((~asked.tokens.present).sum())


def load(path: str | os.PathLike[str], precision: str = "float32", device: str = "auto") -> Model:
    """The model in a folder that `train` wrote, or a checkpoint of Hugging Face's. Raises ModelError.

    `device` is cpu, cuda, or auto (cuda where there is one).

    `precision` "bfloat16" answers faster where the chip multiplies it faster, and moves a vector's direction by about a
    thousandth and a probability by about a hundredth of itself.
    """
    if precision not in PRECISIONS:
        raise QueryError(f"precision {precision!r}: choose one of {', '.join(PRECISIONS)}")
    place = machine.device(device)
    net, modality, about = folder.read(Path(path))
    net.dtype = getattr(torch, precision)
    net.to(place)
    return Model(net, modality, about)
