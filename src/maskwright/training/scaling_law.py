"""What a net learns: the small scaling rule by which a budget picks its size.

In: parameters of the encoder's matrices, tokens trained on, tokens that the corpus has. Out: expected held-out bits, as a
share of those that counting neighbours needs on the same positions; and the batch that goes with so many tokens.

The form is that of Hoffmann et al. (2022, "Training compute-optimal large language models", equation 2): what no net of
this kind gets below, what a small net misses, what a short run misses. Fitted on runs of one to three minutes, and checked
on whole commands of 2 and 10 minutes on two cores (`benchmarks/dial.py`): shares of what counting needs, the rule's in
brackets.

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

LEAST, SIZE, SIZE_POWER, TIME, TIME_POWER = 0.35, 0.13, 0.38, 0.45, 0.5
"""of a million parameters, and a million tokens"""
REPEATS, SPARE = 40.0, 5.0
"""epochs, and parameters a token of the corpus, after which one more is worth a third of the first"""
SPREAD = 1.35
"""how far corpora lie apart: a loss is expected between itself divided by this and itself times this"""
BATCHES, BATCH_TOKENS = (2048, 65_536), 10e6
"""the smallest and the largest batch; tokens from which it grows with their root"""


def loss(matrices: int, tokens: float, own: int) -> float:
    """A share of counting's bits."""
    size, time = _worth(matrices, own, SPARE), _worth(tokens, own, REPEATS)
    return LEAST + SIZE * (size / 1e6) ** -SIZE_POWER + TIME * (time / 1e6) ** -TIME_POWER


def _worth(amount: float, own: int, fading: float) -> float:
    """As much of what is fresh: all of it up to `own`, then less and less."""
    return min(amount, own) + own * fading * (1 - math.exp(-max(amount / own - 1, 0.0) / fading))


def batch(tokens: float) -> int:
    """Tokens of a step."""
    grown = BATCHES[0] * (tokens / BATCH_TOKENS) ** 0.5
    return int(min(max(grown, BATCHES[0]), BATCHES[1])) // 256 * 256
