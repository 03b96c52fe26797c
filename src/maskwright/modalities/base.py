"""The contract of a modality: what one kind of data must say of itself, and what follows where it says no more.

A kind of data must say fifteen things. Its `Descriptor`: a name, a `ValueType` (whose own name and `of_python` must be
said), and how the rest is built. Its `Modality`: fit, save, load, columns, tokenise, blanks, decode, label, input, head. All
else has a default. Two parts are optional: a `Baseline` (what counting reaches, and a net that starts there), and
`Checkpoints` (weights that other libraries open). `maskwright.testing.check_modality` tries whether a modality keeps the
contract; docs/extending.md walks through one.

Everything above this folder works through this class alone. When something new seems to need an `if` on a modality's name
elsewhere, the contract is wrong, and is mended here. Imports without torch.

Legend: N tokens of a record, T tokens of a batch, M targets, n records or pieces, P position axes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from maskwright.modalities.scaling_law import ScalingLaw
from maskwright.records.record import Record, content
from maskwright.records.value_type import ValueType
from maskwright.tokens import Array, Batch, Distribution, Mask, Tokens, grid
from maskwright.tokens.masking import MaskConfig

if TYPE_CHECKING:
    from torch import nn

    from maskwright.nets.checkpoints import Checkpoints
    from maskwright.nets.encoder import NetConfig

Floor = Callable[[Batch, Mask], Array]
"""(batch, mask) -> (M,) nats of the values at the targets, as a model that counts predicts them."""


@dataclass(frozen=True, kw_only=True)
class ModalityConfig:
    """A modality's section of the recipe: nothing, unless a modality brings a dataclass of its own."""

    @property
    def files(self) -> tuple[str, ...]:
        """Paths among its values that must exist before a run begins."""
        return ()


@dataclass(frozen=True)
class Claim:
    """How sure, in [0, 1], a modality is that some data is its own, and why, for a person."""

    sure: float
    why: str


def unclaimed(paths: Sequence[str], values: Sequence[Any], field: str | None) -> Claim:
    """Of a modality that is used only where it is asked for."""
    return Claim(0.0, "it has to be asked for by name")


@dataclass(frozen=True, kw_only=True)
class Descriptor:
    """What an entry point of the group `maskwright.modalities` names: everything that is asked of a modality before any of
    it is used. Importing one must not import torch."""

    name: str
    value_type: ValueType
    build: Callable[[], Modality]
    """Makes a fresh modality; imports whatever it needs."""
    claim: Callable[[Sequence[str], Sequence[Any], str | None], Claim] = unclaimed
    """(paths, values that Python gave instead, the field asked for) -> how surely the data is this modality's."""
    config: type[ModalityConfig] = ModalityConfig
    section: str = ""
    """Name of the recipe's section that holds this modality's configuration; empty: the modality's own name."""

    @property
    def key(self) -> str:
        """The name of its section."""
        return self.section or self.name

    def create(self) -> Modality:
        """A fresh modality that knows its descriptor."""
        made = self.build()
        made.descriptor = self
        return made


@dataclass(frozen=True)
class Query:
    """A record with blanks, cut into tokens: absent ones (`present` False) are asked for."""

    tokens: Tokens
    template: Any = None
    """The modality's own notes on the query, which its `decode` and `restrict` need."""
    truth: dict[str, Array] | None = None
    """Values to put into the blanks, by name, where a given completion is scored; None: a completion is sought."""
    label: str = ""
    """The text of the target that this variant was made for, as answers show it; empty: it was made for none."""
    informed: bool = True
    """Whether anything of the record is known, if only a part of a token: without it a likeliest completion has nothing to
    go by."""

    @property
    def blanks(self) -> Array:
        """Ascending indices of the tokens that are asked for."""
        return np.flatnonzero(~self.tokens.present)


@dataclass(frozen=True)
class Asked:
    """One token of a query whose distribution was read, with what is known beside it by now."""

    query: Query
    index: int
    """Index of the token in the query."""
    window: Tokens
    """The tokens that were read, those present that are known or filled already."""
    at: int
    """Index of the token in the window."""
    together: Array
    """Ascending indices into the window of the blanks that are filled with regard to each other, this one among them."""

    @classmethod
    def alone(cls, query: Query, index: int) -> Asked:
        """A token of a query of which nothing has been filled."""
        return cls(query, index, query.tokens, index, np.array([index]))


@dataclass(frozen=True)
class TokenColumns:
    """A record cut in bulk: its tokens' stored columns, and their extents along each axis."""

    columns: dict[str, Array]
    """Stored columns by name, as in `Modality.columns`, with N rows each."""
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Pooling:
    """How a record's vector is made of its tokens' states: see `model/embed.py`."""

    cells: int = 1
    """Cells along each axis of the grid that is laid over a record; each cell has a mean of its own."""
    deviation: bool = False
    """Whether the standard deviation of the states in each cell goes into the vector too."""

    def width(self, axes: int, width: int) -> int:
        """Of a record's vector, where a state has `width`."""
        return self.cells**axes * (1 + self.deviation) * width


class Baseline(Protocol):
    """What counting knows of a kind of data: an optional part of a modality. `shards` are a `records.shards.Shards`, `train`
    the numbers (R,) of its training records."""

    def floors(self, shards: Any, train: Array) -> dict[str, Floor]:
        """What counting reaches, by name: "frequency", and "neighbours" for the strongest that is cheap."""

    def start(self, net: nn.Module, shards: Any, train: Array) -> None:
        """Sets a fresh net to where counting ends."""


class Modality(ABC):
    """One kind of data: how it is cut, put together, read and predicted."""

    descriptor: Descriptor
    config: Any
    """The modality's section of the recipe, an instance of the descriptor's `config`."""
    axes = 1
    """Number of axes of the tokens' positions."""
    pooling = Pooling()
    scaling = ScalingLaw()
    """The scaling law of the modality's nets, by which a budget picks a size."""
    longest_blank = 0
    """The most tokens that a blank of unknown length may have; 0: no blank is of unknown length."""

    @property
    def name(self) -> str:
        return self.descriptor.name

    @property
    def value_type(self) -> ValueType:
        return self.descriptor.value_type

    @property
    def frame_size(self) -> int:
        """Tokens that `frame` adds to a piece, half before it (rounded up) and half after."""
        return 0

    @property
    def mask(self) -> MaskConfig:
        """What is hidden in training, where nobody says otherwise."""
        return MaskConfig()

    @property
    def finer(self) -> str:
        """Advice: what to do for a record to have more tokens."""
        return "give longer ones"

    @property
    def caveats(self) -> Mapping[str, str]:
        """By verb (fill, score), what a person must know of its answers: where scores are no probabilities, and why."""
        return {}

    # Before cutting

    def configure(self, config: Any) -> None:
        """Takes its section of the recipe."""
        self.config = config

    def describe(self) -> Any:
        """What it is, as JSON: with the same description and records, `fit` gives the same."""
        return [self.name, asdict(self.config)]

    def observe(self, record: Record) -> None:
        """Sees every record before `fit`, which is given a sample of them."""
        return

    @abstractmethod
    def fit(self, sample: Iterable[Record], size: int) -> None:
        """Learns a vocabulary or scales from a sample of records; `size`: bytes of the whole corpus. Raises DataError."""

    @abstractmethod
    def save(self, folder: Path, length: int) -> None:
        """Writes its files into a model folder; `length`: tokens of the longest piece that the net reads."""

    @abstractmethod
    def load(self, folder: Path) -> None:
        """The inverse of `save`. Raises ModelError where its files are missing or damaged."""

    def size(self, record: Record) -> int:
        """Bytes of user data that it holds, as it is read: what bits are counted by."""
        return len(content(record.value))

    def reduced(self, value: Any) -> Any:
        """A record's value as large as it is read."""
        return value

    # Cutting

    @property
    @abstractmethod
    def columns(self) -> dict[str, np.dtype[Any]]:
        """What a shard stores of a token; the rest follows from it."""

    @abstractmethod
    def tokenise(self, records: Sequence[Record]) -> list[TokenColumns]:
        """Each record's columns, fast, in bulk. Raises DataError, which names the record."""

    def unpack(self, columns: dict[str, Array], sizes: Array, keys: Array) -> Batch:
        """Stored columns of many pieces, end to end, to tokens without a frame.

        `sizes` (n, P): tokens along each axis; `keys` (n,): what masks are drawn from. By default every token is present,
        may be hidden, and is a unit by itself.
        """
        t, positions = int(sizes.prod(axis=1).sum()), grid.places(sizes)
        return Batch(
            values={name: array.astype(np.int64) if array.dtype.kind == "u" else array for name, array in columns.items()},
            positions=positions,
            kind=np.zeros(t, dtype=np.int64),
            present=np.ones(t, dtype=bool),
            maskable=np.ones(t, dtype=bool),
            unit=np.arange(t),
            where=np.concatenate([positions, positions + 1], axis=1),
            cu_seqlens=np.concatenate([[0], np.cumsum(sizes.prod(axis=1))]).astype(np.int64),
            keys=keys,
        )

    def encode(self, records: Sequence[Record]) -> list[Tokens]:
        """Each record's tokens, without a frame, with their place in it. Raises DataError, which names the record."""
        return [self.of_columns(cut) for cut in self.tokenise(records)]

    def of_columns(self, cut: TokenColumns) -> Tokens:
        """The tokens of one record that was cut in bulk."""
        return self.unpack(cut.columns, np.array([cut.shape]), np.zeros(1, dtype=np.uint64)).take(slice(None))

    def augmented(self, columns: dict[str, Array], sizes: Array, keys: Array) -> dict[str, Array]:
        """Stored columns of many pieces as other views of the same, for training: as many tokens, of the same extents. What
        is done with a piece follows from its key (`tokens.masking.uniform`) alone."""
        return columns

    def frame(self, batch: Batch) -> Batch:
        """Adds what stands around every piece ([CLS], [SEP]): `frame_size` tokens, which are not maskable."""
        return batch

    # Queries

    @abstractmethod
    def blanks(self, record: Record, targets: Sequence[str] | None = None) -> list[Query]:
        """A record with blanks as a query; several variants where a blank's length is unknown, or one a target. Raises
        QueryError where there is no blank."""

    def restrict(self, distribution: Any, asked: Sequence[Asked]) -> Distribution:
        """What may stand at each blank that is asked for, a row each, given what its neighbours hold by now."""
        return distribution

    @abstractmethod
    def decode(self, tokens: Tokens, query: Query) -> Any:
        """The query with its blanks filled by `tokens`; what no blank touches comes back as it was."""

    @abstractmethod
    def label(self, values: dict[str, Array]) -> list[str]:
        """What a person reads at each token."""

    def shares(self, tokens: Tokens) -> Array:
        """(N,) how much of a whole token's data each holds: 1, or less where a record ends within it."""
        return np.ones(len(tokens))

    # The net

    def shaped(self, config: NetConfig, given: Mapping[str, Any]) -> NetConfig:
        """A net's shape as this kind of data wants it, but for the values that were `given`. Raises RecipeError where they
        make no sense, and ModelError for a shape that no other tool could open, where one should."""
        return config

    @abstractmethod
    def input(self, config: NetConfig) -> nn.Module:
        """The input layer: called with (values, kind, positions, shown, dtype), it returns (T, width)."""

    @abstractmethod
    def head(self, config: NetConfig, inputs: nn.Module) -> nn.Module:
        """The prediction head: called with (states (M, width), kind (M,), HeadContext), it returns a `Distribution`, and its
        `listable` says of each kind of value whether what may stand there can be listed. `config` is the shape of the layers
        whose states it reads, which are the decoder's where there is one."""

    # Optional parts

    @property
    def baseline(self) -> Baseline | None:
        """What counting knows; None: nothing is known, and figures stand alone."""
        return None

    @property
    def checkpoints(self) -> Checkpoints:
        """Weights as folders hold them, for `init` and for other libraries; by default this tool's own alone."""
        from maskwright.nets.checkpoints import Checkpoints

        return Checkpoints()
