"""Text: records are strings, tokens are byte-level BPE (or what a checkpoint brings), a token's value is one of V ids.

In: strings, and queries with blanks (`{mask}` one token, `{mask*}` one to eight, `{{mask}}` the literal). Out: tokens,
and text again; what no blank touches comes back byte for byte. The net that it asks for is ModernBERT, so that other
tools open what was trained here.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from maskwright.errors import DataError, QueryError, RecipeError
from maskwright.modalities.base import Floor, Pooling, Query, TokenColumns
from maskwright.modalities.text import ngram_baseline
from maskwright.modalities.text.bpe import Vocabulary, suggested_size
from maskwright.nets.checkpoints import convert
from maskwright.nets.checkpoints.bert import BERT_FAMILIES, sentence_transformer, to_config
from maskwright.nets.checkpoints.family import of_shape
from maskwright.nets.encoder import NetConfig
from maskwright.nets.heads.token import Categorical, TokenHead, TokenInput
from maskwright.nets.neighbour_heads import set_neighbour_heads
from maskwright.records.forms import TEXTS, Form, told
from maskwright.records.read import Record, Source
from maskwright.tokens import Array, Batch, Tokens, grid
from maskwright.tokens.masking import MaskConfig

ALIKE = 3.0
"""dimension 0 of every token's first vector, where the others have a mean square of one"""
LONGEST_BLANK = 8
MOST_OPEN = 2
"""blanks of unknown length in one query: each multiplies the variants by eight"""


@dataclass(frozen=True, kw_only=True)
class TokenizerConfig:
    size: int = 0
    """vocabulary; 0: chosen from the corpus"""
    path: str = ""
    """a tokenizer.json, or a folder with one, to use as it is"""
    extend: int = 0
    """so many new words of the corpus are added to the tokeniser at `path`"""

    def __post_init__(self) -> None:
        if min(self.size, self.extend) < 0:
            raise RecipeError("tokenizer.size and tokenizer.extend must be at least 0")
        if self.extend and not self.path:
            raise RecipeError("--extend-vocab: there is nothing to extend; it goes with --init or --tokenizer")


@dataclass(frozen=True)
class _Blank:
    first: int
    """where it begins in the query, a plain space before it taken along"""
    last: int
    open: bool
    spaced: bool
    """a space was taken: the blank's first token must bring one back"""


@dataclass(frozen=True)
class _Template:
    text: str
    blanks: list[_Blank]
    slots: list[list[int]]
    """for each blank, the indices of its tokens"""


class TextModality:
    name = "text"
    section = "tokenizer"
    form: Form = TEXTS
    axes = 1
    pooling = Pooling()
    frame_size = 2
    mask = MaskConfig()
    exact = True
    finer = "give longer ones"

    def __init__(self) -> None:
        self.config = TokenizerConfig()
        self._vocabulary: Vocabulary | None = None

    def configure(self, config: TokenizerConfig) -> None:
        self.config = config

    def brings(self, folder: Path) -> dict[str, Any]:
        return {"path": str(folder), "size": 0}

    def describe(self) -> Any:
        path = Path(self.config.path) if self.config.path else None
        path = path / "tokenizer.json" if path and path.is_dir() else path
        own = hashlib.sha256(path.read_bytes()).hexdigest() if path and path.is_file() else self.config.path
        return [self.name, self.config.size, own, self.config.extend]

    @property
    def caveats(self) -> dict[str, str]:
        return {}

    @property
    def vocabulary(self) -> Vocabulary:
        if self._vocabulary is None:
            raise DataError("this tokeniser was neither trained nor loaded yet")
        return self._vocabulary

    @property
    def columns(self) -> dict[str, np.dtype[Any]]:
        return {"id": np.dtype(np.uint16 if self.vocabulary.size <= 1 << 16 else np.uint32)}

    def claims(self, source: Source) -> tuple[float, str]:
        form, why = told(source.paths, source.field, source.values)
        return 0.5 * (form is TEXTS), why

    def notice(self, record: Record) -> None: ...

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

    def tokenise(self, records: Sequence[Record]) -> list[TokenColumns]:
        dtype = self.columns["id"]
        cut = self.vocabulary.ids([r.value for r in records])
        return [TokenColumns({"id": np.array(ids, dtype=dtype)}, (len(ids),)) for ids in cut]

    def unpack(self, columns: dict[str, Array], sizes: Array, keys: Array) -> Batch:
        ids = columns["id"].astype(np.int64)
        t = len(ids)
        return Batch(
            values={"id": ids},
            positions=grid.places(sizes),
            kind=np.zeros(t, dtype=np.int64),
            present=np.ones(t, dtype=bool),
            maskable=np.ones(t, dtype=bool),
            unit=self._words(ids),
            where=np.zeros((t, 2), dtype=np.int64),
            cu_seqlens=np.concatenate([[0], np.cumsum(sizes.prod(axis=1))]).astype(np.int64),
            keys=keys,
        )

    def _words(self, ids: Array) -> Array:
        """A number a word, rising: byte-level BPE has no mark for it, so a token's own first and last bytes tell."""
        v = self.vocabulary
        fresh = v.begins[ids].copy()
        fresh[1:] |= v.ends[ids[:-1]]
        return np.cumsum(fresh)

    def varied(self, columns: dict[str, Array], sizes: Array, keys: Array) -> dict[str, Array]:
        return columns

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
        text, marks = record.value, self._marks(record.value)
        if not marks:
            raise QueryError(
                f"{record.source}: no blank in {_short(text)}; write {{mask}} for one token, {{mask*}} for some"
            )
        if targets is not None:
            return self._targets(text, marks, targets, record.source)
        open_ = [blank for blank in marks if blank.open]
        if len(open_) > MOST_OPEN:
            raise QueryError(f"{record.source}: {len(open_)} blanks of unknown length; {MOST_OPEN} at most in one text")
        lengths = [range(1, LONGEST_BLANK + 1) if blank.open else (1,) for blank in marks]
        return [self._asked(text, marks, combination) for combination in itertools.product(*lengths)]

    def _targets(self, text: str, marks: list[_Blank], targets: Sequence[str], source: str) -> list[Query]:
        if len(marks) != 1:
            raise QueryError(f"{source}: targets need exactly one blank, there are {len(marks)} in {_short(text)}")
        out = []
        for target in targets:
            spelled = " " + target.lstrip(" ") if marks[0].spaced else target
            ids = np.array(self.vocabulary.ids([spelled])[0], dtype=np.int64)
            if not len(ids):
                raise QueryError(f"{source}: an empty target; every target needs at least one character")
            asked = self._asked(text, marks, (len(ids),))
            out.append(Query(asked.tokens, asked.template, {"id": ids}, target))
        return out

    def _marks(self, text: str) -> list[_Blank]:
        found = []
        for match in self._pattern().finditer(text):
            if match.group().startswith("{{"):
                continue
            spaced = text[: match.start()].endswith(" ")
            found.append(_Blank(match.start() - spaced, match.end(), match.group() == "{mask*}", spaced))
        return found

    def _pattern(self) -> re.Pattern[str]:
        return re.compile(r"\{\{mask\*?\}\}|\{mask\*?\}|" + re.escape(self.vocabulary.names["mask"]))

    def _asked(self, text: str, marks: list[_Blank], lengths: Sequence[int]) -> Query:
        """The query with so many tokens at each blank; what stands between blanks is tokenised by itself."""
        ids, where, present, slots = [], [], [], []
        done = count = 0
        for blank, length in itertools.zip_longest(marks, lengths):
            end = blank.first if blank else len(text)
            piece, offsets = self._piece(text, done, end)
            ids.append(piece)
            where.append(offsets)
            present.append(np.ones(len(piece), dtype=bool))
            count += len(piece)
            if blank:
                ids.append(np.full(length, self.vocabulary.mask))
                where.append(np.tile([blank.first + blank.spaced, blank.last], (length, 1)))
                present.append(np.zeros(length, dtype=bool))
                slots.append(list(range(count, count + length)))
                count, done = count + length, blank.last
            else:
                break
        else:
            piece, offsets = self._piece(text, done, len(text))
            ids.append(piece)
            where.append(offsets)
            present.append(np.ones(len(piece), dtype=bool))
        tokens = self._tokens(np.concatenate(ids), np.concatenate(where), np.concatenate(present))
        return Query(tokens, _Template(text, marks, slots))

    def _piece(self, text: str, first: int, last: int) -> tuple[Array, Array]:
        """Ids and places of text[first:last]; an escaped blank counts as what it stands for."""
        ((ids, offsets),) = self.vocabulary.ids_and_offsets([_literal(text[first:last])])
        return ids, offsets + first

    def restrict(self, distribution: Categorical, asked: Sequence[tuple[Query, int]]) -> Categorical:
        v = self.vocabulary
        allowed = np.tile(~v.special & ~v.absent, (len(asked), 1))
        for row, (query, index) in enumerate(asked):
            template: _Template | None = query.template
            if template is None:
                continue
            for blank, slots in zip(template.blanks, template.slots, strict=True):
                if slots[0] == index and blank.spaced:
                    allowed[row] &= v.spaced
            # A part of a character can only stand beside a blank that may bring the rest of it.
            shown = np.concatenate([[True], query.tokens.present, [True]])
            if shown[index]:
                allowed[row] &= ~v.resumes
            if shown[index + 2]:
                allowed[row] &= ~v.breaks
        return distribution.restricted(torch.from_numpy(allowed).to(distribution.features.device))

    def decode(self, tokens: Tokens, asked: Query) -> str:
        template: _Template = asked.template
        out, done = [], 0
        for blank, slots in zip(template.blanks, template.slots, strict=True):
            out.append(_literal(template.text[done : blank.first]))
            filled = self.vocabulary.text(tokens.values["id"][slots])
            if self.vocabulary.marker and not blank.spaced and not "".join(out)[-1:].isalnum():
                filled = filled.removeprefix(" ")  # a WordPiece doesn't say whether a space stood before a word
            out.append(filled)
            done = blank.last
        return "".join(out) + _literal(template.text[done:])

    def label(self, values: dict[str, Array]) -> list[str]:
        return [self.vocabulary.text([int(i)]) for i in values["id"]]

    def shares(self, tokens: Tokens) -> Array:
        return np.ones(len(tokens))

    def reduced(self, value: str) -> str:
        return value

    def size(self, record: Record) -> int:
        return len(record.value.encode())

    # The net

    def shaped(self, config: NetConfig, given: Mapping[str, Any]) -> NetConfig:
        of_shape(config, BERT_FAMILIES)  # raises where no other tool could open the folder
        return config

    def input(self, config: NetConfig) -> TokenInput:
        return TokenInput(self.vocabulary.size, config, self.vocabulary.mask)

    def head(self, config: NetConfig, inputs: nn.Module) -> TokenHead:
        assert isinstance(inputs, TokenInput)
        return TokenHead(inputs, config)

    def start(self, net: Any, shards: Any, train: Array) -> None:
        ids, starts = shards.column("id", train, ngram_baseline.MOST_TOKENS)
        size = self.vocabulary.size
        frequency = np.bincount(ids, minlength=size)[:size] + 0.5
        with torch.no_grad():
            net.head.bias.copy_(torch.from_numpy(np.log(frequency / frequency.sum())))
            table = net.inputs.tok_embeddings.weight
            width = table.shape[1]
            vectors = ngram_baseline.vectors(ids, starts, size, width - 1)
            # Logits are products of these with features of unit mean square: this makes them of order one.
            table.copy_(torch.cat((torch.full((size, 1), ALIKE), vectors), dim=1) * width**-0.5)
            if not net.config.positions:
                seen = torch.from_numpy(frequency > 1)
                set_neighbour_heads(net.encoder, float(F.layer_norm(table[seen], (width,))[:, 0].mean()))

    def checkpoint(self, folder: Path) -> NetConfig:
        return convert.read_config(folder, BERT_FAMILIES)[0]

    def adopt(self, net: Any, folder: Path) -> bool:
        """New words begin as the mean of their old pieces."""
        _, theirs, weights = convert.read(folder, BERT_FAMILIES)
        rows = theirs["vocab_size"]
        size = self.vocabulary.size
        if size > rows:
            old = Vocabulary.load(folder)
            spelled = {i: token for token, i in self.vocabulary.tokenizer.get_vocab(with_added_tokens=True).items()}
            pieces = [old.pieces(spelled[i]) if i in spelled else [] for i in range(rows, size)]
            for name in ("inputs.tok_embeddings.weight", "head.bias"):
                if name in weights:
                    table = weights[name]
                    more = [table[own].mean(0) if own else table.mean(0) for own in pieces]
                    weights[name] = torch.cat((table, torch.stack(more)))
        return convert.adopted(net, weights, folder)

    def floors(self, shards: Any, train: Array) -> dict[str, Floor]:
        ids, starts = shards.column("id", train, ngram_baseline.MOST_TOKENS)
        counted = ngram_baseline.NgramCounts.of(ids, starts, self.vocabulary.size)
        return {
            "frequency": lambda batch, mask: counted.frequency_nats(batch.values["id"][mask.target]),
            "neighbours": lambda batch, mask: counted.neighbour_nats(*ngram_baseline.neighbours(batch, mask, counted.size)),
        }

    def hugging_face(self, config: Any) -> dict[str, Any]:
        v = self.vocabulary
        ids = {"pad": v.pad, "cls": v.cls, "sep": v.sep, "mask": v.mask, "unk": v.unk}
        return {"config.json": to_config(config, v.size, ids)} | sentence_transformer(config)


def _literal(text: str) -> str:
    return text.replace("{{mask}}", "{mask}").replace("{{mask*}}", "{mask*}")


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
