"""What a head gives at the positions that are asked for: probabilities over what can stand there.

The protocol that every distribution fulfils, what a head may look at to make one, and where a draw takes its numbers from.
Arrays are numpy's or torch's: a head's own affair, which is why values are typed `Any` here. Knows no head.

Legend: T tokens of a batch, M positions asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from maskwright.tokens.batch import Array, Batch


@dataclass(frozen=True)
class HeadContext:
    """What a net is asked and shown, as far as its head may want to look at it."""

    batch: Batch
    hidden: Array
    """(T,) bool: tokens that are withheld from the net."""
    at: Array
    """(M,) int64, ascending indices into T of the tokens asked for."""

    @property
    def targets(self) -> Batch:
        """The tokens asked for."""
        return self.batch.only(self.at)

    @property
    def shown(self) -> Batch:
        """All but frames."""
        return self.batch.only(np.flatnonzero(~self.hidden & self.batch.present & self.batch.maskable))


class RandomSource(Protocol):
    """What a draw asks of numpy's Generator: numbers for every row, of which the first axis is."""

    def random(self, size: Any) -> Array: ...

    def integers(self, low: int, high: int, size: Any) -> Array: ...


class Distribution(Protocol):
    """Probabilities over what can stand at M positions, at the resolution in which values are recorded."""

    def nll(self, values: dict[str, Any]) -> Any:
        """(M,) nats ≥ 0 of what is given."""

    def loss(self, values: dict[str, Any]) -> tuple[Any, Any]:
        """What training minimises, the sum of two (M,): the nats (or what a head of another library learns in their place),
        by which a run is watched; and whatever else helps to learn them, or makes states worth more."""

    def mode(self) -> dict[str, Any]:
        """The likeliest value at each position, (M,) an array."""

    def sample(self, rng: RandomSource) -> dict[str, Any]:
        """One draw a position, joint inside a token."""

    def candidates(self, k: int) -> tuple[dict[str, Any], Any]:
        """The k likeliest distinct values a position (M, k), and their log probabilities (M, k), best first."""

    def region(self, level: float) -> list[dict[str, Any]]:
        """For each position {v : nll(v) <= level}, likeliest first."""

    def certainty(self) -> Any:
        """(M,) in [0, 1]; comparable across kinds of value."""

    def take(self, rows: Any) -> Distribution:
        """The distributions at some of the M positions."""

    def tempered(self, temperature: float) -> Distribution:
        """The same with log probabilities divided by a temperature, and summing to one again."""

    def calm(self, temperature: float) -> Distribution:
        """The same for draws that a person looks at: tempered, and without what errors of a draw would build up."""
