"""A trained model and its verbs: fill, score, embed.

In: a model folder; then one record or any number of them. Out: answers of the matching shape, with calibrated
probabilities. Every verb is read off the same distributions; which kind of data they stand for is the modality's affair.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch

from maskwright.errors import QueryError
from maskwright.modalities.base import Modality
from maskwright.model import folder
from maskwright.model.about import About
from maskwright.model.calibration import PASSES, Calibration
from maskwright.model.embed import embed
from maskwright.model.fill import Filler, FillOptions
from maskwright.model.notebook import model_facts, model_html
from maskwright.model.predictor import Predictor
from maskwright.model.results import Filling, Score
from maskwright.model.score import checked_passes, score
from maskwright.nets.masked import MaskedNet
from maskwright.records.read import is_single, records_of
from maskwright.records.record import Record
from maskwright.records.value_type import Value
from maskwright.system.device import torch_device
from maskwright.system.prefetch import prefetch
from maskwright.tokens import Array, Tokens

PRECISIONS = ("float32", "bfloat16")
One = str | Record | Value | Array
"""one value, of which a verb gives one answer; or whatever else its `ValueType` takes for one"""
GROUP_SIZE, GROUP_RECORDS = 500_000, 2048
"""bytes of records that are answered together, and how many at most: bounds memory, whatever streams in"""


class Model:
    """A net, its modality and its calibration. `model.net` is a torch module, for whoever wants to go on from it.

    Its verbs take one record, and give one answer; or many, and give a list: a list or generator of values, dictionaries,
    a table (of pandas, polars, Arrow, `datasets`), a `Path` of a file or folder. `field` names the column, where there are
    several that could be meant. They may be called from several threads at once.
    """

    def __init__(self, net: MaskedNet, modality: Modality, about: About) -> None:
        self.net, self.modality, self.about = net, modality, about
        self.calibration = about.calibration or Calibration()
        self.predictor = Predictor(net, modality)

    def __repr__(self) -> str:
        facts = "; ".join(f"{name}: {value}" for name, value in model_facts(self.about))
        return f"<maskwright.Model, {facts}>"

    def _repr_html_(self) -> str:
        return model_html(self.about)

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
        targets: Sequence[str] | str | None = ...,
        coverage: float | None = ...,
        mask: Any = ...,
        field: str | None = ...,
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
        targets: Sequence[str] | str | None = ...,
        coverage: float | None = ...,
        mask: Any = ...,
        field: str | None = ...,
    ) -> list[Filling]: ...
    def fill(
        self,
        query: Any,
        *,
        top_k: int = 5,
        n: int | None = None,
        draws: int | None = None,
        seed: int = 0,
        targets: Sequence[str] | str | None = None,
        coverage: float | None = None,
        mask: Any = None,
        field: str | None = None,
    ) -> Filling | list[Filling]:
        """Fills the blanks of one query, or of each of many.

        `top_k`: candidates a slot. `n`: that many best distinct completions. `draws`: that many samples, which depend on the
        query and `seed` alone. `targets`: the blank is one of these, scored jointly. `coverage`: every slot also gets the
        smallest set of values that holds the truth with that probability. `mask`: what to fill of a picture, as a picture
        that is white there, or an array of bools. Raises QueryError, DataError.

            >>> filling = model.fill("My {mask} was declined at the {mask}.", n=3)
            >>> len(filling.completions), len(filling.slots)
            (3, 2)
        """
        options = FillOptions(top_k=top_k, n=n, draws=draws, seed=seed, targets=targets, coverage=coverage)
        filler = self.filler(options)
        records = self._records(query, field, "query")
        if mask is not None:
            records = self.masked(records, mask)
        groups = self.groups(records)
        queries = prefetch(((g, [self.modality.blanks(record, options.targets) for record in g]) for g in groups), 1)
        found = [filling for group, variants in queries for filling in filler.fill(group, variants, options)]
        return found[0] if self._is_one(query) else found

    def filler(self, options: FillOptions) -> Filler:
        """What fills queries as they are asked for here. Raises QueryError where this model can't, whatever the query."""
        made = Filler(self.predictor, self.calibration)
        made.check(options)
        return made

    def masked(self, records: Iterable[Record], mask: Any) -> Iterator[Record]:
        """Records without what `mask` hides. Raises DataError, and QueryError for kinds of data that have no masks."""
        kind = self.modality.value_type
        hidden = kind.mask(mask)
        return (replace(record, value=kind.masked(record.value, hidden, str(record.source))) for record in records)

    # score and embed

    @overload
    def score(self, record: One, passes: int | str = ..., *, field: str | None = ...) -> Score: ...  # type: ignore[overload-overlap]
    @overload
    def score(self, record: Iterable[Any], passes: int | str = ..., *, field: str | None = ...) -> list[Score]: ...
    def score(self, record: Any, passes: int | str = PASSES, *, field: str | None = None) -> Score | list[Score]:
        """How strange each record is: negative pseudo-log-likelihood in nats, in all and for each token.

        Every token is scored exactly once, in `passes` masks with disjoint targets; "all" hides one token at a time
        (with its word's later ones) and is exact. Raises QueryError.

            >>> usual, odd = model.score(["I lost my card.", "My card sat on a purple mat."])
            >>> usual.mean < odd.mean
            True
        """
        passes = checked_passes(passes)
        out = []
        for group, encoded in self._encoded(self._records(record, field)):
            found = score(self.predictor, encoded, [r.key for r in group], passes)
            for tokens, values in zip(encoded, found, strict=True):
                known = tokens.take(tokens.present)
                places = [tuple(map(int, where)) for where in known.where]
                nats = values[tokens.present].tolist()
                shares = self.modality.shares(known)
                parts = [] if (shares == 1).all() else shares.round(6).tolist()
                out.append(Score(float(values.sum()), nats, self.modality.label(known.values), places, parts))
        return out[0] if self._is_one(record) else out

    def threshold(self, false_alarms: float, passes: int | str = PASSES) -> float:
        """Nats a token (`Score.mean`) that records like those trained on exceed that often: a conformal quantile of held-out
        ones. Raises QueryError where so rare an alarm can't be promised.

            >>> model.score("I lost my card.").mean < model.threshold(0.1)
            True
        """
        if passes != PASSES:
            raise QueryError(f"the threshold is for {PASSES} passes", fix="leave passes out", option="passes")
        return self.calibration.threshold(false_alarms)

    def embed(self, record: Any, *, field: str | None = None) -> Array:
        """(n, W) float32 rows of unit length, or (W,) for one record: of text the mean of the final states of all
        known tokens; of pictures mean and deviation of those in each of 2 x 2 cells (`Modality.pooling`).

            >>> vectors = model.embed(["My card is gone", "I lost my card"])
            >>> vectors.shape == (2, model.about.net["width"])
            True
        """
        out = [embed(self.predictor, encoded) for _, encoded in self._encoded(self._records(record, field))]
        width = self.modality.pooling.width(self.modality.axes, self.net.config.width)
        rows = np.concatenate(out) if out else np.zeros((0, width), dtype=np.float32)
        return rows[0] if self._is_one(record) else rows

    # Records

    def groups(self, records: Iterable[Record]) -> Iterator[list[Record]]:
        """Records that are answered together."""
        group: list[Record] = []
        size = 0
        for record in records:
            group.append(record)
            size += self.modality.size(record)
            if size > GROUP_SIZE or len(group) == GROUP_RECORDS:
                yield group
                group, size = [], 0
        if group:
            yield group

    def _encoded(self, records: Iterable[Record]) -> Iterator[tuple[Sequence[Record], list[Tokens]]]:
        """Records in groups, with their tokens, the next of which are cut while the net reads."""

        def encoded(group: Sequence[Record]) -> list[Tokens]:
            out = self.modality.encode(group)
            for record, tokens in zip(group, out, strict=True):
                if len(tokens) and not tokens.present.any():
                    raise QueryError("nothing of it is known", where=record.source, fix="leave it out")
            return out

        return prefetch(((group, encoded(group)) for group in self.groups(records)), 1)

    def _records(self, given: Any, field: str | None, name: str = "input") -> Iterator[Record]:
        return records_of(given, self.modality.value_type, name, field)

    def _is_one(self, given: Any) -> bool:
        return is_single(given, self.modality.value_type)


def load(path: str | os.PathLike[str], precision: str = "float32", device: str = "auto") -> Model:
    """The model in a folder that `train` wrote, or a checkpoint of Hugging Face's. Raises ModelError.

    `device` is cpu, cuda, or auto (cuda where there is one).

    `precision` "bfloat16" answers faster where the chip multiplies it faster, and moves a vector's direction by about a
    thousandth and a probability by about a hundredth of itself.

        >>> load("tickets-model").fill("I lost my {mask}.").text  # doctest: +ELLIPSIS
        'I lost my ...'
    """
    if precision not in PRECISIONS:
        raise QueryError(f"precision {precision!r}: choose one of {', '.join(PRECISIONS)}", option="precision")
    place = torch_device(device)
    net, modality, about = folder.read(Path(path))
    net.dtype = getattr(torch, precision)
    net.to(place)
    return Model(net, modality, about)
