"""A modality whose records have values of both sorts: a letter, which can be listed, and a level, which is not.

In: strings such as "B 12". Out: two tokens of two kinds, and one distribution for both, of which only letters are listed.
What a table's row is, at its smallest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from maskwright.errors import DataError, QueryError
from maskwright.modalities.base import Descriptor, Modality, Query, TokenColumns
from maskwright.modalities.ngram_baseline import NgramBaseline
from maskwright.nets.encoder import NetConfig
from maskwright.nets.heads.token import Categorical, TokenHead, TokenInput
from maskwright.records.notices import Listener, unheard
from maskwright.records.record import Record
from maskwright.records.value_type import ValueType
from maskwright.tokens import Array, Batch, HeadContext, RandomSource, Tokens

LETTERS, LEVELS, MASK = "ABCD", 16, 20
"""letters have the ids 0 to 3, levels 4 to 19"""


class MixedType(ValueType):
    name = "pairs"

    def of_python(self, given: Any, where: str, notice: Listener = unheard) -> str:
        if not isinstance(given, str) or not re.fullmatch(r"[ABCD?] (\d|1[0-5]|\?)", given):
            raise DataError("not a letter and a level", where=where)
        return given


class Mixed:
    """Categorical in its bones; what stands at a level is not listed."""

    def __init__(self, inner: Categorical, kind: Array) -> None:
        self.inner, self.kind = inner, kind

    def nll(self, values: dict[str, Any]) -> Tensor:
        return self.inner.nll(values)

    def loss(self, values: dict[str, Any]) -> tuple[Tensor, Tensor]:
        return self.inner.loss(values)

    def mode(self) -> dict[str, Tensor]:
        return self.inner.mode()

    def sample(self, rng: RandomSource) -> dict[str, Tensor]:
        return self.inner.sample(rng)

    def candidates(self, k: int) -> tuple[dict[str, Tensor], Tensor]:
        return self.inner.candidates(k)

    def region(self, level: float) -> list[dict[str, Tensor]]:
        if self.kind.any():
            raise QueryError("levels are not listed")
        return self.inner.region(level)

    def certainty(self) -> Tensor:
        return self.inner.certainty()

    def take(self, rows: Any) -> Mixed:
        return Mixed(self.inner.take(rows), self.kind[rows])

    def tempered(self, temperature: float) -> Mixed:
        return Mixed(self.inner.tempered(temperature), self.kind)

    def calm(self, temperature: float) -> Mixed:
        return self.tempered(temperature)


class MixedHead(TokenHead):
    listable = (True, False)

    def forward(self, states: Tensor, kind: Tensor, scene: HeadContext) -> Mixed:  # type: ignore[override]
        allowed = torch.zeros(len(kind), MASK + 1, dtype=torch.bool)
        allowed[kind == 0, : len(LETTERS)] = True
        allowed[kind == 1, len(LETTERS) : MASK] = True
        return Mixed(super().forward(states, kind, scene).restricted(allowed), kind.numpy())


class MixedModality(Modality):
    def fit(self, sample: Iterable[Record], size: int) -> None:
        """There is nothing to learn."""

    def save(self, folder: Path, length: int) -> None:
        (folder / "mixed.txt").write_text(LETTERS)

    def load(self, folder: Path) -> None:
        assert (folder / "mixed.txt").read_text() == LETTERS

    @property
    def columns(self) -> dict[str, np.dtype[Any]]:
        return {"id": np.dtype(np.uint8)}

    def tokenise(self, records: Sequence[Record]) -> list[TokenColumns]:
        out = []
        for letter, level in (record.value.split(" ") for record in records):
            ids = [MASK if letter == "?" else LETTERS.index(letter), MASK if level == "?" else len(LETTERS) + int(level)]
            out.append(TokenColumns({"id": np.array(ids, dtype=np.uint8)}, (2,)))
        return out

    def unpack(self, columns: dict[str, Array], sizes: Array, keys: Array) -> Batch:
        batch = super().unpack(columns, sizes, keys)
        return Batch(**vars(batch) | {"kind": batch.positions[:, 0] % 2})

    def blanks(self, record: Record, targets: Sequence[str] | None = None) -> list[Query]:
        (tokens,) = self.encode([record])
        known = tokens.values["id"] != MASK
        if known.all():
            raise QueryError("nothing to fill", where=record.source)
        return [Query(Tokens(**vars(tokens) | {"present": known}))]

    def decode(self, tokens: Tokens, query: Query) -> str:
        return " ".join(self.label(tokens.values))

    def label(self, values: dict[str, Array]) -> list[str]:
        return [LETTERS[i] if i < len(LETTERS) else "?" if i == MASK else str(i - len(LETTERS)) for i in values["id"]]

    def input(self, config: NetConfig) -> nn.Module:
        return TokenInput(MASK + 1, config, MASK)

    def head(self, config: NetConfig, inputs: nn.Module) -> nn.Module:
        assert isinstance(inputs, TokenInput)
        return MixedHead(inputs, config)

    @property
    def baseline(self) -> NgramBaseline:
        return NgramBaseline("id", MASK + 1)


DESCRIPTOR = Descriptor(name="mixed", value_type=MixedType(), build=MixedModality)


def pairs(count: int) -> list[str]:
    """A letter, and a level near four times its place in the alphabet."""
    rng = np.random.default_rng(0)
    return [f"{LETTERS[i]} {4 * i + int(rng.integers(4))}" for i in rng.integers(4, size=count)]
