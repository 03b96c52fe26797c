"""What a net learns: the small scaling law by which a budget picks its size.

In: parameters of the encoder's matrices, tokens trained on, tokens that the corpus has. Out: expected held-out bits, as a
share of those that counting neighbours needs on the same positions; and the batch that goes with so many tokens. A modality
may bring constants of its own.

The form is that of Hoffmann et al. (2022, "Training compute-optimal large language models", equation 2): what no net of
this kind gets below, what a small net misses, what a short run misses. The constants are fitted on runs of one to three
minutes, and checked on whole commands of 2 and 10 minutes on two cores (`benchmarks/dial.py`): shares of what counting
needs, the rule's in brackets.

    width, layers   parameters   minutes   million tokens     German law   Python code   dialogue turns
    64, 3               0.10 M         2    4.7, 5.0, 7.7     .93 (.87)    .82 (.86)     .81 (.82)
    128, 3              0.42 M         2    3.1, 2.9, 4.0     .83 (.79)    .75 (.80)     .74 (.76)
    192, 4              1.25 M         2    1.5, 1.5, 1.9     .88 (.84)    .80 (.84)     .78 (.80)
    64, 3               0.10 M        10    -, -, 47.6        -            -             .68 (.73)
    128, 3              0.42 M        10    14.5, 17.0, 22.2  .71 (.65)    .53 (.64)     .59 (.63)
    192, 4              1.25 M        10    6.4, 7.5, 9.2     .69 (.65)    .47 (.63)     .59 (.62)
    256, 6              3.34 M        10    3.1, 3.6, 4.3     .77 (.69)    .57 (.67)     .64 (.65)

Corpora differ in how far below counting a net can get; what a budget should buy depends on how sizes of one compare, and the
size that the rule picks (128 at 2 minutes, 192 at 10) was the best of these on all, within .1%. Nothing longer or larger was
tried.

Data seen again is worth less the more often it was seen, and parameters less the more there are to a token of it
(Muennighoff et al., 2023, "Scaling data-constrained language models", section 3.1); masks differ each time, so that data
stays useful for longer than there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ScalingLaw:
    """The constants, for a million parameters and a million tokens; the defaults are those fitted on texts."""

    least: float = 0.35
    """The share of the bits of counting neighbours that no net gets below."""
    size: float = 0.13
    size_power: float = 0.38
    time: float = 0.45
    time_power: float = 0.5
    repeats: float = 40.0
    """Epochs after which one more is worth a third of the first."""
    spare: float = 5.0
    """Parameters for each token of the corpus, after which one more is worth a third of the first."""
    spread: float | None = None
    """The factor by which corpora lie apart: a loss is expected between the law's value divided by it and multiplied by it.
    None: it was never measured on this kind of data, and the law compares sizes without foretelling a loss."""
    batches: tuple[int, int] = (2048, 65_536)
    """Tokens of the smallest and of the largest batch."""
    batch_tokens: float = 10e6
    """Tokens of a run from which its batch grows with the square root of their number."""

    def loss(self, matrices: int, tokens: float, own: int) -> float:
        """The expected share of counting's bits for so many parameters in matrices, tokens trained on, tokens there are."""
        size, time = _worth(matrices, own, self.spare), _worth(tokens, own, self.repeats)
        by_size = self.size * (size / 1e6) ** -self.size_power
        return self.least + by_size + self.time * (time / 1e6) ** -self.time_power

    def batch(self, tokens: float) -> int:
        """Tokens of a step, in a run of so many."""
        grown = self.batches[0] * (tokens / self.batch_tokens) ** 0.5
        return int(min(max(grown, self.batches[0]), self.batches[1])) // 256 * 256


def _worth(amount: float, own: int, fading: float) -> float:
    """As much of what is fresh: all of it up to `own`, then less and less."""
    return min(amount, own) + own * fading * (1 - math.exp(-max(amount / own - 1, 0.0) / fading))
