"""Probabilities that mean what they say: a few numbers that are fitted once, and what they make of a net's answers.

A temperature for one slot (Guo et al., 2017), one for whole completions; levels for sets that hold the truth as often as
promised (split conformal prediction: Vovk et al., 2005; sets of least size: Sadinle et al., 2019); what makes blanks of
different lengths comparable; and how strange a record may be. In: numbers that `calibrate.py` has fitted. Out: calibrated
log probabilities, levels, thresholds. Imports without torch.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from maskwright.errors import QueryError, RecipeError, option
from maskwright.tokens import Array

PASSES = 16
"""Default number of masks that cover a record when it is scored; strangeness is measured with as many."""
CONTEXT = 126
"""Tokens of a record that a question about one slot shows, at most: more would raise its cost, but hardly change its
answer."""
FEWEST = 200
"""Smallest number of calibration slots that any budget buys."""
LENGTH_WEIGHTS = [0.75, 0.2, 0.08, 0.04, -0.4]
"""Default weights of `LengthPrior`, where nothing was fitted: they served on other data (LOG.md#span-length)."""


@dataclass(frozen=True, kw_only=True)
class CalibrationConfig:
    """How much held-out data calibration reads."""

    slots: int = 0
    """Single slots that the temperature is fitted on, and as many again for conformal levels, 10,000 at most; the
    strangeness of whole records is measured for as much time as all of them would take. 0: what the budget allows."""

    def __post_init__(self) -> None:
        if self.slots < 0:
            raise RecipeError("calibration.slots must be at least 0", option="calibration.slots")


@dataclass(frozen=True)
class LengthPrior:
    """How likely a blank has so many tokens, by what `span_length.features` says of the best completion of each length:
    weights of mean pseudo-log-likelihood a token, fit of the two neighbours, fit of those beyond, length, its log."""

    weights: list[float] = field(default_factory=lambda: list(LENGTH_WEIGHTS))

    def __call__(self, features: Array) -> Array:
        """(n, 5) features -> (n,) log weights."""
        out: Array = features @ np.asarray(self.weights)
        return out


@dataclass(frozen=True)
class Calibration:
    """What was fitted on held-out records; as it stands without arguments, nothing was."""

    slot: float = 1.0
    """Temperature of the distribution at one slot."""
    joint: float = 1.0
    """Temperature of a whole completion, to whose inverse power the product of its conditionals is raised."""
    levels: list[list[float]] = field(default_factory=list)
    """Quantiles of the nats of true values, evenly spaced from 0 to 1: a list for one blank in a record, one for two, and so
    on."""
    slots: list[int] = field(default_factory=list)
    """Number of slots that each list of `levels` was taken from."""
    lengths: LengthPrior = field(default_factory=LengthPrior)
    """Prior over the number of tokens in a blank, which makes blanks of different lengths comparable."""
    strangeness: list[float] = field(default_factory=list)
    """Nats per token of each whole held-out record, ascending; a token that is known in part counts by its share."""
    tokens: float = 0.0
    """Mean number of tokens in a whole held-out record."""

    def threshold(self, false_alarms: float) -> float:
        """Nats a token that a record like those trained on exceeds with that probability."""
        if not 0 < false_alarms < 1:
            what = f"the share of false alarms must lie between 0 and 1, got {false_alarms}"
            raise QueryError(what, option="false_alarms")
        n = len(self.strangeness)
        rank = int(np.ceil((n + 1) * (1 - false_alarms)))
        if rank > n:
            needed = math.ceil(1 / false_alarms) - 1
            slots = max(math.ceil(1.25 * needed * self.tokens * PASSES / CONTEXT), FEWEST)  # sizes differ
            what = (
                f"false alarms of {false_alarms} can't be promised: calibration had time or data for {n} held-out records"
                f" only, and needs {needed}"
            )
            fix = (
                f"train longer (or {option('calibration.slots', slots)}, time for so many), with more held out"
                f" ({option('train.held_out', 0.2)}), or on smaller records, since whole ones are read"
            )
            raise QueryError(what, fix=fix, option="false_alarms")
        return self.strangeness[rank - 1]

    def level(self, coverage: float, blanks: int) -> float:
        """Nats up to which values belong to a set that holds the truth with probability `coverage`, at any of so many
        blanks that are all open."""
        if not 0 < coverage < 1:
            raise QueryError(f"coverage must lie between 0 and 1, got {coverage}", option="coverage")
        if self.slots and blanks > len(self.slots):
            what = f"coverage can be promised for {len(self.slots)} blanks in a record at the most, not {blanks}"
            raise QueryError(what, option="coverage")
        n = self.slots[blanks - 1] if self.slots else 0
        if n < 1 or np.ceil((n + 1) * coverage) > n:
            what = f"coverage {coverage} can't be promised: calibration had {n} held-out slots only"
            raise QueryError(what, fix="train on more", option="coverage")
        share = np.ceil((n + 1) * coverage) / n
        return float(np.interp(share, np.linspace(0, 1, len(self.levels[blanks - 1])), self.levels[blanks - 1]))

    def completion(self, log_prob: float, blanks: int) -> float:
        """The calibrated log probability of a whole completion of so many tokens."""
        return log_prob / (self.joint if blanks > 1 else 1.0)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Calibration:
        return cls(**(saved | {"lengths": LengthPrior(**saved["lengths"])}))
