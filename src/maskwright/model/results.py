"""What the verbs give back, in a user's own terms. Knows nothing of how it came about."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from maskwright.model import notebook
from maskwright.records.value_type import ValueType


@dataclass(frozen=True)
class Slot:
    """What may stand at one token of a blank, each candidate given the other blanks as the best completion fills them."""

    tokens: list[str]
    probs: list[float]
    offset: int
    """Position in the query at which the blank begins."""
    region: list[str] | None = None
    """Smallest set of values that holds the truth with the probability `coverage`; None where none was asked for."""


@dataclass(frozen=True)
class Filled:
    """A query with its blanks filled in one way."""

    value: Any
    """The filled query, as a value of its kind: a string, an `Image`."""
    log_prob: float
    """Log of the joint probability of all that was filled in, in nats."""

    @property
    def prob(self) -> float:
        """Joint probability; of many pixels it is 0, as floats go: compare `log_prob`."""
        return math.exp(self.log_prob)

    @property
    def text(self) -> str:
        """The value as words."""
        return str(self.value)


@dataclass(frozen=True)
class Filling(Filled):
    """The best completion of a query, and whatever else was asked for."""

    slots: list[Slot] = field(default_factory=list)
    """Candidates for each blank token, an entry per token; empty where values can't be listed or blanks are many."""
    completions: list[Filled] = field(default_factory=list)
    """Several completions, best first (draws as they were drawn), where `n`, `draws` or `targets` was given; otherwise
    empty."""

    @property
    def shares(self) -> list[float]:
        """The probability of each completion among those listed, which sum to one: of given targets, how likely each is
        where it must be one of them."""
        if not self.completions:
            return []
        highest = max(completion.log_prob for completion in self.completions)
        weights = [math.exp(completion.log_prob - highest) for completion in self.completions]
        return [weight / sum(weights) for weight in weights]

    def _repr_html_(self) -> str:
        completions = [(completion.prob, str(completion.value)) for completion in self.completions]
        slots = [(slot.offset, slot.tokens, slot.probs) for slot in self.slots]
        return notebook.filling_html(str(self.value), self.prob, completions, slots)

    def row(self, value_type: ValueType) -> dict[str, Any]:
        """As a row of a table. Raises DataError for a value that no cell can hold."""
        slots = [asdict(slot) for slot in self.slots]
        return _cells(self, value_type) | {"slots": slots, "completions": [_cells(c, value_type) for c in self.completions]}


def _cells(filled: Filled, value_type: ValueType) -> dict[str, Any]:
    cell = value_type.display.cell(filled.value)
    return {value_column(value_type): cell, "prob": filled.prob, "log_prob": filled.log_prob}


def value_column(value_type: ValueType) -> str:
    """The column of a table of answers that holds values."""
    return value_type.column or "value"


@dataclass(frozen=True)
class Score:
    """How strange a record is, in all and token by token."""

    total: float
    """Strangeness of the whole record in nats; higher is stranger."""
    per_token: list[float]
    """Nats of each token; what is absent in the record is not scored, and has no entry."""
    tokens: list[str]
    offsets: list[tuple[int, ...]]
    """Place of each token: its first character and the one after its last; of a patch left, top, right, bottom."""
    shares: list[float] = field(default_factory=list)
    """Share of each token that is known, where some are known in part (patches at an edge); empty: all are whole."""

    def _repr_html_(self) -> str:
        return notebook.score_html(self.tokens, self.per_token)

    @property
    def mean(self) -> float:
        """Nats a whole token."""
        return self.total / (sum(self.shares) or max(len(self.per_token), 1))


def strength(per_token: Sequence[float], shares: Sequence[float]) -> list[float]:
    """Nats of each token as if all of it were known, so that edges are as bright as the middle; a sliver says little, and
    counts as a quarter."""
    return [nats / max(share, 0.25) for nats, share in zip(per_token, shares or [1.0] * len(per_token), strict=True)]
