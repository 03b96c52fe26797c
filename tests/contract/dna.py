"""A modality of one file, outside the package: strings of DNA, of which "?" is a letter that nobody could read.

In: strings of the letters A, C, G, T. Out: a token a letter. It defines what the contract asks for and no more, but for a
baseline, which costs it three lines. Installed by an entry point, it trains, fills, scores, embeds, saves and loads.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from maskwright.errors import DataError, QueryError
from maskwright.modalities.base import Claim, Descriptor, Modality, Query, TokenColumns
from maskwright.modalities.ngram_baseline import NgramBaseline
from maskwright.nets.encoder import NetConfig
from maskwright.nets.heads.token import TokenHead, TokenInput
from maskwright.records.notices import Listener, unheard
from maskwright.records.record import Record
from maskwright.records.value_type import ValueType
from maskwright.tokens import Array, Tokens

LETTERS, BLANK = "ACGT", "?"
MASK = len(LETTERS)


class DnaType(ValueType):
    name = "sequences"

    def of_python(self, given: Any, where: str, notice: Listener = unheard) -> str:
        if not isinstance(given, str) or not given or set(given) - set(LETTERS + BLANK):
            raise DataError(f"not a sequence of {', '.join(LETTERS)}", where=where, fix="leave it out")
        return given


class DnaModality(Modality):
    def fit(self, sample: Iterable[Record], size: int) -> None:
        """There is nothing to learn: the letters are known."""

    def save(self, folder: Path, length: int) -> None:
        (folder / "dna.json").write_text(json.dumps({"letters": LETTERS}) + "\n")

    def load(self, folder: Path) -> None:
        assert json.loads((folder / "dna.json").read_text())["letters"] == LETTERS

    @property
    def columns(self) -> dict[str, np.dtype[Any]]:
        return {"id": np.dtype(np.uint8)}

    def tokenise(self, records: Sequence[Record]) -> list[TokenColumns]:
        places = [np.array([LETTERS.find(c) % (MASK + 1) for c in r.value], dtype=np.uint8) for r in records]
        return [TokenColumns({"id": ids}, (len(ids),)) for ids in places]

    def blanks(self, record: Record, targets: Sequence[str] | None = None) -> list[Query]:
        (tokens,) = self.encode([record])
        known = tokens.values["id"] != MASK
        if known.all():
            raise QueryError(f"no {BLANK} in it", where=record.source)
        return [Query(Tokens(**vars(tokens) | {"present": known}), record.value)]

    def decode(self, tokens: Tokens, query: Query) -> str:
        letters = self.label(tokens.values)
        return "".join(letters[i] if c == BLANK else c for i, c in enumerate(query.template))

    def label(self, values: dict[str, Array]) -> list[str]:
        return [(LETTERS + BLANK)[i] for i in values["id"]]

    def input(self, config: NetConfig) -> nn.Module:
        return TokenInput(MASK + 1, config, MASK)

    def head(self, config: NetConfig, inputs: nn.Module) -> nn.Module:
        assert isinstance(inputs, TokenInput)
        return TokenHead(inputs, config)

    @property
    def baseline(self) -> NgramBaseline:
        return NgramBaseline("id", MASK + 1)


def claim(paths: Sequence[str], values: Sequence[Any], field: str | None) -> Claim:
    return Claim(1.0 if any(path.endswith(".dna") for path in paths) else 0.0, "by its ending")


DESCRIPTOR = Descriptor(name="dna", value_type=DnaType(), build=DnaModality, claim=claim)


def sequences(count: int, seed: int = 0) -> list[str]:
    """A repeat that is easy to learn, with some noise, of 30 to 90 letters."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(count):
        size, begin = int(rng.integers(30, 90)), int(rng.integers(0, 6))
        letters = [("ACGGTA" * 20)[begin + i] if rng.random() < 0.95 else LETTERS[rng.integers(4)] for i in range(size)]
        out.append("".join(letters))
    return out
