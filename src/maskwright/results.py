"""What the verbs give back, in a user's own terms. Knows nothing of how it came about."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from maskwright.records.forms import Form
from maskwright.records.pictures import Picture


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
    """the query with its blanks filled: a string, or a `Picture`"""
    prob: float
    """joint probability of all that was filled in"""

    @property
    def text(self) -> str:
        return str(self.value)

    @property
    def picture(self) -> Picture:
        assert isinstance(self.value, Picture)
        return self.value


@dataclass(frozen=True)
class Filling(Filled):
    slots: list[Slot] = field(default_factory=list)
    completions: list[Filled] = field(default_factory=list)
    """with `n`, `draws` or `targets`: several, best first (draws as they were drawn)"""

    def row(self, form: Form) -> dict[str, Any]:
        """As a row of a table."""
        completions = [{form.column: form.cell(c.value), "prob": c.prob} for c in self.completions]
        slots = [asdict(slot) for slot in self.slots]
        return {form.column: form.cell(self.value), "prob": self.prob, "slots": slots, "completions": completions}


@dataclass(frozen=True)
class Score:
    total: float
    """nats; higher = stranger"""
    per_token: list[float]
    tokens: list[str]
    offsets: list[tuple[int, ...]]
    """first character of each token, and the one after its last"""

    @property
    def mean(self) -> float:
        return self.total / max(len(self.per_token), 1)
