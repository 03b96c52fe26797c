"""What the verbs give back, in a user's own terms. Knows nothing of how it came about."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from maskwright.records.forms import Form
from maskwright.records.pictures import Image


@dataclass(frozen=True)
class Slot:
    """What may stand at one token of a blank, each candidate given the other blanks as the best completion fills them."""

    tokens: list[str]
    probs: list[float]
    offset: int
    """where the blank begins in the query"""
    region: list[str] | None = None
    """with `coverage`: the smallest set that holds the truth so often"""


@dataclass(frozen=True)
class Filled:
    value: Any
    """the query with its blanks filled: a string, or a `Image`"""
    log_prob: float
    """log of the joint probability of all that was filled in, in nats"""

    @property
    def prob(self) -> float:
        """Joint probability; of many pixels it is 0, as floats go: compare `log_prob`."""
        return math.exp(self.log_prob)

    @property
    def text(self) -> str:
        return str(self.value)

    @property
    def picture(self) -> Image:
        assert isinstance(self.value, Image)
        return self.value


@dataclass(frozen=True)
class Filling(Filled):
    slots: list[Slot] = field(default_factory=list)
    """of texts: a slot a token"""
    completions: list[Filled] = field(default_factory=list)
    """with `n`, `draws` or `targets`: several, best first (draws as they were drawn)"""

    def row(self, form: Form) -> dict[str, Any]:
        """As a row of a table."""
        slots = [asdict(slot) for slot in self.slots]
        return _cells(self, form) | {"slots": slots, "completions": [_cells(c, form) for c in self.completions]}


def _cells(filled: Filled, form: Form) -> dict[str, Any]:
    return {form.column: form.cell(filled.value), "prob": filled.prob, "log_prob": filled.log_prob}


@dataclass(frozen=True)
class Score:
    total: float
    """nats; higher = stranger"""
    per_token: list[float]
    """of the tokens that are known: what is absent is not scored"""
    tokens: list[str]
    offsets: list[tuple[int, ...]]
    """where each token lies: its first character and the one after its last; of a patch left, top, right, bottom"""
    shares: list[float] = field(default_factory=list)
    """how much of each token is known, where some are known in part (patches at an edge); empty: all are whole"""

    @property
    def mean(self) -> float:
        """Nats a whole token."""
        return self.total / (sum(self.shares) or max(len(self.per_token), 1))


def strength(per_token: Sequence[float], shares: Sequence[float]) -> list[float]:
    """Nats of each token as if all of it were known, so that edges are as bright as the middle; a sliver says little, and
    counts as a quarter."""
    return [nats / max(share, 0.25) for nats, share in zip(per_token, shares or [1.0] * len(per_token), strict=True)]
