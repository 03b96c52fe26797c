"""The contract of a modality: how one kind of data is cut, put together, read and predicted.

Everything above this folder works through this protocol alone: training, every verb, calibration. When something new
needs an `if` on the modality's name elsewhere, the contract is wrong, and is mended here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import nn

from maskwright.nets.encoder import NetConfig
from maskwright.records.forms import Form
from maskwright.records.read import Record, Source
from maskwright.tokens import Array, Batch, Distribution, Mask, Tokens
from maskwright.tokens.masking import MaskConfig

Floor = Callable[[Batch, Mask], Array]
"""(batch, mask) -> (M,) nats of what stands at the targets, by counting"""


@dataclass(frozen=True)
class Query:
    """A query with blanks, cut into tokens: absent ones (`present` False) are asked for."""

    tokens: Tokens
    template: Any
    """the modality's own notes on the query: what `decode` and `restrict` need"""
    truth: dict[str, Array] | None = None
    """what is put into the blanks, where a given completion is scored instead of sought"""
    label: str = ""
    """what a person calls this variant: the target's text"""
    informed: bool = True
    """something of it is known, in part of a token at least: a likeliest completion has something to go by"""


@dataclass(frozen=True)
class TokenColumns:
    """A record in bulk: its tokens' stored columns, and their extents along each axis."""

    columns: dict[str, Array]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Pooling:
    """How a record's vector is made of its tokens' states: see `infer/pooling.py`."""

    cells: int = 1
    """along each axis, each with a mean of its own"""
    deviation: bool = False
    """of the states in each cell too"""

    def width(self, axes: int, width: int) -> int:
        """Of a record's vector, where a state has `width`."""
        return self.cells**axes * (1 + self.deviation) * width


class Modality(Protocol):
    name: str
    form: Form
    """what its records' values are"""
    exact: bool
    """a value can be guessed to the letter: a completion is right or wrong, and what may stand at a blank can be listed;
    if not, blanks are many and alike, and are filled by the many (`infer/infill.py`)"""
    section: str
    """where its configuration stands in a recipe"""
    axes: int
    """of its tokens' positions"""
    pooling: Pooling
    """of states to a record's vector"""

    @property
    def finer(self) -> str:
        """What to do for a record to have more tokens."""

    @property
    def caveats(self) -> dict[str, str]:
        """By verb, what a person must know of its answers: why scores are no probabilities, where they aren't."""

    @property
    def frame_size(self) -> int:
        """Tokens that `frame` adds to a piece."""

    @property
    def mask(self) -> MaskConfig:
        """What is hidden in training, where nobody says otherwise."""

    @property
    def columns(self) -> dict[str, np.dtype[Any]]:
        """What a shard stores of a token; the rest follows from it."""

    def configure(self, config: Any) -> None:
        """Takes its section of the recipe."""

    def brings(self, folder: Path) -> dict[str, Any]:
        """What a checkpoint says of its section, which goes with the weights. Raises ModelError."""

    def describe(self) -> Any:
        """What it is, as JSON: with the same description and records, `fit` gives the same."""

    def claims(self, source: Source) -> tuple[float, str]:
        """How sure, in [0, 1], that it can read this, and why."""

    def notice(self, record: Record) -> None:
        """Hears of every record before `fit`, which is given a sample of them."""

    def fit(self, sample: Iterable[Record], size: int) -> None:
        """Learns vocabulary or scales from a sample of records; `size`: bytes of the whole corpus."""

    def save(self, folder: Path, length: int) -> None:
        """Its files into a model folder; `length`: the longest piece that the net reads."""

    def load(self, folder: Path) -> None: ...

    def tokenise(self, records: Sequence[Record]) -> list[TokenColumns]:
        """Each record's `columns`; the fast way, in bulk. Raises DataError, which names the record."""

    def unpack(self, columns: dict[str, Array], sizes: Array, keys: Array) -> Batch:
        """Stored columns of many pieces, end to end, to tokens without a frame; `sizes` (n, P): tokens along each axis."""

    def varied(self, columns: dict[str, Array], sizes: Array, keys: Array) -> dict[str, Array]:
        """Stored columns of many pieces as other views of the same, for training: as many tokens, of the same extents; what
        is done with a piece follows from its key (`masking.uniform`) alone. Where there are none, as they are."""

    def frame(self, batch: Batch) -> Batch:
        """Adds what stands around every piece ([CLS], [SEP])."""

    def encode(self, records: Sequence[Record]) -> list[Tokens]:
        """Each record's tokens, without a frame, with their place in it."""

    def blanks(self, record: Record, targets: Sequence[str] | None = None) -> list[Query]:
        """A query with blanks; several variants where a blank's length is unknown, or one a target."""

    def restrict(self, distribution: Any, asked: Sequence[tuple[Query, int]]) -> Distribution:
        """What may stand at a blank of its query: row i of `distribution` is token index asked[i][1] of asked[i][0]."""

    def decode(self, tokens: Tokens, asked: Query) -> Any:
        """The query with its blanks filled by `tokens`; all else byte for byte."""

    def label(self, values: dict[str, Array]) -> list[str]:
        """What a person reads at each token."""

    def shares(self, tokens: Tokens) -> Array:
        """(N,) how much of a whole token's data each holds: 1, or less where a record ends within it."""

    def reduced(self, value: Any) -> Any:
        """A record's value as large as it is read."""

    def size(self, record: Record) -> int:
        """Bytes of user data, as it is read."""

    def shaped(self, config: NetConfig, given: Mapping[str, Any]) -> NetConfig:
        """A shape of that size as this kind of data wants it, but for the values that were `given`. Raises RecipeError,
        and ModelError for one that no other tool could open, where one should."""

    def input(self, config: NetConfig) -> nn.Module: ...

    def head(self, config: NetConfig, inputs: nn.Module) -> nn.Module:
        """`config`: of the states that it reads, which are the decoder's where there is one."""

    def start(self, net: nn.Module, shards: Any, train: Array) -> None:
        """Sets a fresh net to where counting ends."""

    def checkpoint(self, folder: Path) -> NetConfig:
        """The shape of a net that others have trained, to go on from. Raises ModelError."""

    def adopt(self, net: nn.Module, folder: Path) -> bool:
        """Gives a net of that shape those weights; says whether the checkpoint had a head, which else stays as it was."""

    def floors(self, shards: Any, train: Array) -> dict[str, Floor]:
        """What counting reaches, from the training records `train` of the shards."""

    def hugging_face(self, config: Any) -> dict[str, Any] | None:
        """The files, as JSON by name, with which other tools open the model: config.json first; None where none can. Raises
        ModelError for a net that none of them could be."""
