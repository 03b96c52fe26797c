"""The data of a run: read, cut into tokens, and split into what trains and what is held out.

In: a recipe, and values where Python gave them. Out: a `Corpus`, and of its held-out part the pieces and whole records that
calibration asks for. Says what a user should know of the data on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.modalities import detect
from maskwright.modalities.base import Modality
from maskwright.records.notices import Notices
from maskwright.records.read import has_columns
from maskwright.records.shards import Shards
from maskwright.records.split import Split, split
from maskwright.records.table import Table
from maskwright.runs.recipe import Recipe
from maskwright.system.progress import Progress, Watcher
from maskwright.tokens import Tokens, uncollate
from maskwright.training.batches import Pieces, batch_of, cut
from maskwright.training.prepare import Prepared, prepare, too_short

SHOWN_TOKENS = 2_000_000
"""Tokens of held-out data from which calibration chooses slots, at most."""
SHOWN_BYTES = 1 << 27
"""Bytes of held-out data that calibration may read, at most, as shards store them."""


@dataclass(frozen=True)
class Corpus:
    """A modality that was fitted, and its tokens on disk."""

    modality: Modality
    prepared: Prepared
    parts: Split

    @property
    def shards(self) -> Shards:
        return self.prepared.shards


def read_corpus(recipe: Recipe, values: Sequence[Any] | Table, folder: Path, watch: Watcher, begun: bool) -> Corpus:
    """Fits the recipe's modality and tokenises all data into `folder`, or takes up what is there.

    A run that has `begun` goes on with the tokens that it began with. Raises DataError.
    """
    skipped = Notices(lambda notice: watch(Progress("reading", notice=f"skipped: {notice.message}")))
    noted = Notices(lambda notice: watch(Progress("reading", notice=notice.message)))
    data, modality = recipe.data, detect.modality(recipe.modality)
    source = data.source(modality.value_type, values, skipped, noted)
    held = replace(source, paths=(data.held_out,), values=(), group=None) if data.held_out else None
    if held and not has_columns(held):
        held = replace(held, field=None)
    modality.configure(recipe.options)
    prepared = prepare(source, held, modality, folder, watch, begun)
    for words in _remarks(prepared, modality, skipped, noted):
        watch(Progress("reading", notice=words))
    return Corpus(modality, prepared, split(prepared.shards, recipe.train.held_out, prepared.own))


def _remarks(prepared: Prepared, modality: Modality, skipped: Notices, noted: Notices) -> Iterator[str]:
    if prepared.changed:
        yield "the data has changed since this run began; it goes on with what it read then"
    yield from filter(None, (skipped.summary("records skipped"), noted.summary("notes")))
    yield from filter(None, (too_short(prepared.shards, modality),))
    if prepared.stretched:
        yield "few documents: stretches of them are held out, not whole ones"


def held_out_pieces(corpus: Corpus, part: str, most: int, seed: int) -> list[Tokens]:
    """Pieces of at most `most` tokens of a held-out part (`records.split.PARTS`), as many as calibration can use."""
    records, shards = corpus.parts.held[part], corpus.shards
    pieces = cut(records, shards.shapes[records], most)
    chosen = np.random.default_rng((seed, 3)).permutation(len(pieces.record))
    room = min(SHOWN_TOKENS, SHOWN_BYTES // sum(dtype.itemsize for dtype in corpus.modality.columns.values()))
    chosen = chosen[: np.searchsorted(np.cumsum(pieces.length[chosen]), room) + 1]
    return uncollate(batch_of(corpus.modality, shards, pieces[np.sort(chosen)], frame=False))


def whole_records(corpus: Corpus, seed: int) -> Iterator[tuple[Tokens, int]]:
    """Whole records that were held out and chose no weights, and their keys, in an order of chance, as they are read."""
    shards, parts = corpus.shards, corpus.parts
    for record in np.random.default_rng((seed, 4)).permutation(np.union1d(parts.held["fit"], parts.held["level"])):
        shape = shards.shapes[record][None]
        pieces = Pieces(np.array([record]), np.zeros_like(shape), shape)
        (tokens,) = uncollate(batch_of(corpus.modality, shards, pieces, frame=False))
        yield tokens, int(shards.keys[record])
