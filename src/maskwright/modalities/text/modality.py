"""Texts: records are strings, tokens are byte-level BPE (or what a checkpoint brings), a token's value is one of V ids.

In: strings, and queries with blanks (`query.py`). Out: tokens, and text again; what no blank touches comes back byte for
byte. The net that it asks for is ModernBERT, so that other tools open what was trained here.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from maskwright.errors import DataError, QueryError
from maskwright.modalities.base import Asked, Modality, Query, TokenColumns
from maskwright.modalities.ngram_baseline import NgramBaseline
from maskwright.modalities.scaling_law import ScalingLaw
from maskwright.modalities.text.bpe import Vocabulary, suggested_size
from maskwright.modalities.text.checkpoints import TextCheckpoints
from maskwright.modalities.text.config import TokenizerConfig
from maskwright.modalities.text.query import Blank, Template, blanks_of, literal, short
from maskwright.modalities.text.utf8_states import LONE, STATES, WHOLE
from maskwright.nets.checkpoints.bert import BERT_FAMILIES
from maskwright.nets.checkpoints.family import of_shape
from maskwright.nets.encoder import NetConfig
from maskwright.nets.heads.token import Categorical, TokenHead, TokenInput
from maskwright.records.record import Record
from maskwright.tokens import Array, Batch, Tokens

MOST_OPEN = 2
"""The most blanks of unknown length in one query: each multiplies the variants by eight."""


class TextModality(Modality):
    frame_size = 2
    longest_blank = 8
    scaling = ScalingLaw(spread=1.35)

    def __init__(self) -> None:
        self.config = TokenizerConfig()
        self._vocabulary: Vocabulary | None = None

    def describe(self) -> Any:
        path = Path(self.config.path) if self.config.path else None
        path = path / "tokenizer.json" if path and path.is_dir() else path
        own = hashlib.sha256(path.read_bytes()).hexdigest() if path and path.is_file() else self.config.path
        return [self.name, self.config.size, own, self.config.extend]

    @property
    def vocabulary(self) -> Vocabulary:
        if self._vocabulary is None:
            raise DataError("this tokeniser was neither trained nor loaded yet")
        return self._vocabulary

    @property
    def columns(self) -> dict[str, np.dtype[Any]]:
        return {"id": np.dtype(np.uint16 if self.vocabulary.size <= 1 << 16 else np.uint32)}

    def fit(self, sample: Iterable[Record], size: int) -> None:
        if self.config.path:
            self._vocabulary = Vocabulary.load(Path(self.config.path))
            if self.config.extend:
                self._vocabulary = self._vocabulary.extended((record.value for record in sample), self.config.extend)
        else:
            texts = (record.value for record in sample)
            self._vocabulary = Vocabulary.train(texts, self.config.size or suggested_size(size))

    def save(self, folder: Path, length: int) -> None:
        self.vocabulary.save(folder, length)

    def load(self, folder: Path) -> None:
        self._vocabulary = Vocabulary.load(folder)

    # Cutting

    def tokenise(self, records: Sequence[Record]) -> list[TokenColumns]:
        dtype = self.columns["id"]
        cut = self.vocabulary.ids([r.value for r in records])
        return [TokenColumns({"id": np.array(ids, dtype=dtype)}, (len(ids),)) for ids in cut]

    def unpack(self, columns: dict[str, Array], sizes: Array, keys: Array) -> Batch:
        batch = super().unpack(columns, sizes, keys)
        # Where a token stands in its text isn't kept in shards: only `encode` knows.
        where = np.zeros((len(batch), 2), dtype=np.int64)
        return Batch(**vars(batch) | {"unit": self._words(batch.values["id"]), "where": where})

    def _words(self, ids: Array) -> Array:
        """A number a word, rising: byte-level BPE has no mark for it, so a token's own first and last bytes tell."""
        v = self.vocabulary
        fresh = v.begins[ids].copy()
        fresh[1:] |= v.ends[ids[:-1]]
        return np.cumsum(fresh)

    def frame(self, batch: Batch) -> Batch:
        """[CLS] before and [SEP] after every piece; positions count from 0 in each."""
        lengths = batch.lengths + 2
        cu = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        t = int(cu[-1])
        inner = np.ones(t, dtype=bool)
        inner[cu[:-1]] = inner[cu[1:] - 1] = False
        ids = np.full(t, self.vocabulary.sep, dtype=np.int64)
        ids[cu[:-1]] = self.vocabulary.cls
        ids[inner] = batch.values["id"]

        def widened(array: Array, fill: Any) -> Array:
            out = np.full((t, *array.shape[1:]), fill, dtype=array.dtype)
            out[inner] = array
            return out

        unit = np.zeros(t, dtype=np.int64)
        unit[inner] = batch.unit - batch.unit.min(initial=0) + 1
        unit[cu[1:] - 1] = unit.max(initial=0) + 1
        return Batch(
            values={"id": ids},
            positions=(np.arange(t) - np.repeat(cu[:-1], lengths))[:, None],
            kind=np.zeros(t, dtype=np.int64),
            present=widened(batch.present, True),
            maskable=widened(batch.maskable, False),
            unit=unit,
            where=widened(batch.where, 0),
            cu_seqlens=cu,
            keys=batch.keys,
        )

    def encode(self, records: Sequence[Record]) -> list[Tokens]:
        return [self._tokens(*found) for found in self.vocabulary.ids_and_offsets([r.value for r in records])]

    def _tokens(self, ids: Array, where: Array, present: Array | None = None) -> Tokens:
        n = len(ids)
        return Tokens(
            values={"id": ids.astype(np.int64)},
            positions=np.arange(n)[:, None],
            kind=np.zeros(n, dtype=np.int64),
            present=np.ones(n, dtype=bool) if present is None else present,
            maskable=np.ones(n, dtype=bool),
            unit=self._words(ids.astype(np.int64)),
            where=where,
        )

    # Queries

    def blanks(self, record: Record, targets: Sequence[str] | None = None) -> list[Query]:
        text, where = record.value, str(record.source)
        blanks = blanks_of(text, self.vocabulary.names["mask"], where)
        if targets is not None:
            return self._targets(text, blanks, targets, where)
        open_ = sum(blank.open for blank in blanks)
        if open_ > MOST_OPEN:
            what = f"{open_} blanks of unknown length"
            raise QueryError(what, where=where, fix=f"{MOST_OPEN} at most in one text")
        lengths = [range(1, self.longest_blank + 1) if blank.open else (1,) for blank in blanks]
        return [self._query(text, blanks, combination) for combination in itertools.product(*lengths)]

    def _targets(self, text: str, blanks: list[Blank], targets: Sequence[str], where: str) -> list[Query]:
        if len(blanks) != 1:
            what = f"targets need exactly one blank, there are {len(blanks)} in {short(text)}"
            raise QueryError(what, where=where, option="targets")
        before = text[: blanks[0].first]
        if not blanks[0].spaced and not before[-1:].strip():  # a word begins there, with no space before it
            targets = list(dict.fromkeys(target.lstrip(" ") for target in targets))
        out = []
        for target in targets:
            spelled = " " + target.lstrip(" ") if blanks[0].spaced else target
            ids = np.array(self.vocabulary.ids([spelled])[0], dtype=np.int64)
            if not len(ids):
                fix = "every target needs at least one character"
                raise QueryError("an empty target", where=where, fix=fix, option="targets")
            query = self._query(text, blanks, (len(ids),))
            out.append(Query(query.tokens, query.template, {"id": ids}, target))
        return out

    def _query(self, text: str, blanks: list[Blank], lengths: Sequence[int]) -> Query:
        """The query with so many tokens at each blank; what stands between blanks is tokenised by itself."""
        ids, where, present, slots = [], [], [], []
        done = count = 0
        for blank, length in zip(blanks, lengths, strict=True):
            piece, offsets = self._piece(text, done, blank.first)
            ids += [piece, np.full(length, self.vocabulary.mask)]
            where += [offsets, np.tile([blank.first + blank.spaced, blank.last], (length, 1))]
            present += [np.ones(len(piece), dtype=bool), np.zeros(length, dtype=bool)]
            count += len(piece)
            slots.append(list(range(count, count + length)))
            count, done = count + length, blank.last
        piece, offsets = self._piece(text, done, len(text))
        tokens = self._tokens(
            np.concatenate([*ids, piece]),
            np.concatenate([*where, offsets]),
            np.concatenate([*present, np.ones(len(piece), dtype=bool)]),
        )
        return Query(tokens, Template(text, blanks, slots))

    def _piece(self, text: str, first: int, last: int) -> tuple[Array, Array]:
        """Ids and places of text[first:last]; an escaped blank counts as what it stands for."""
        ((ids, offsets),) = self.vocabulary.ids_and_offsets([literal(text[first:last])])
        return ids, offsets + first

    def restrict(self, distribution: Categorical, asked: Sequence[Asked]) -> Categorical:
        allowed = np.stack([self._allowed(one) for one in asked])
        return distribution.restricted(torch.from_numpy(allowed).to(distribution.features.device))

    def _allowed(self, asked: Asked) -> Array:
        """(V,) bool: the tokens with which its run of blanks can still become whole characters, and bring back a space
        that was taken along."""
        v, template = self.vocabulary, asked.query.template
        if template is None:
            return v.real
        bring = {s[0] for blank, s in zip(template.blanks, template.slots, strict=True) if blank.spaced}
        if len(asked.together) == 1:  # nothing beside it is open: most queries have one blank
            return v.between(LONE, LONE, asked.index in bring)
        together, first = asked.together.tolist(), asked.index - asked.at
        ids, known = asked.window.values["id"], asked.window.present
        begin, end = asked.at, asked.at
        while begin - 1 in together:
            begin -= 1
        while end + 1 in together:
            end += 1
        before = after = np.arange(STATES) == WHOLE
        for i in range(begin, asked.at):
            before = before @ v.reach(first + i in bring, int(ids[i]) if known[i] else None)
        for i in range(end, asked.at, -1):
            after = v.reach(first + i in bring, int(ids[i]) if known[i] else None) @ after
        return v.between(before.tobytes(), after.tobytes(), asked.index in bring)

    def decode(self, tokens: Tokens, query: Query) -> str:
        template: Template = query.template
        out, done = [], 0
        for blanks, slots in _touching(template):  # one character may be spread over several blanks
            out.append(literal(template.text[done : blanks[0].first]))
            filled = self.vocabulary.text(tokens.values["id"][slots])
            if self.vocabulary.marker and not blanks[0].spaced and not "".join(out)[-1:].isalnum():
                filled = filled.removeprefix(" ")  # a WordPiece doesn't say whether a space stood before a word
            out.append(filled)
            done = blanks[-1].last
        return "".join(out) + literal(template.text[done:])

    def label(self, values: dict[str, Array]) -> list[str]:
        return [self.vocabulary.text([int(i)]) for i in values["id"]]

    # The net

    def shaped(self, config: NetConfig, given: Mapping[str, Any]) -> NetConfig:
        of_shape(config, BERT_FAMILIES)  # raises where no other tool could open the folder
        return config

    def input(self, config: NetConfig) -> TokenInput:
        return TokenInput(self.vocabulary.size, config, self.vocabulary.mask)

    def head(self, config: NetConfig, inputs: nn.Module) -> TokenHead:
        assert isinstance(inputs, TokenInput)
        return TokenHead(inputs, config)

    @property
    def baseline(self) -> NgramBaseline:
        return NgramBaseline("id", self.vocabulary.size)

    @property
    def checkpoints(self) -> TextCheckpoints:
        return TextCheckpoints(self._vocabulary)


def _touching(template: Template) -> Iterator[tuple[list[Blank], list[int]]]:
    """Blanks with nothing between them, and their tokens."""
    blanks: list[Blank] = []
    slots: list[int] = []
    for blank, own in zip(template.blanks, template.slots, strict=True):
        if blanks and blank.first > blanks[-1].last:
            yield blanks, slots
            blanks, slots = [], []
        blanks, slots = [*blanks, blank], [*slots, *own]
    yield blanks, slots
