"""What a net learns: the small scaling rule by which a budget picks its size.

In: parameters of the encoder's matrices, tokens trained on, tokens that the corpus has. Out: expected held-out bits, as a
share of those that counting neighbours needs on the same positions; and the batch that goes with so many tokens.

The form is that of Hoffmann et al. (2022, "Training compute-optimal large language models", equation 2): what no net of
this kind gets below, what a small net misses, what a short run misses. Fitted by eye on runs of one to three minutes on
German law and Python code (bits a byte; counting needs 1.18 and 1.57):

    width, layers   parameters   tokens   law     code    their mean share   the rule's
    64, 3               0.10 M    6.6 M   1.047   1.232   0.84               0.83
    128, 3              0.42 M    3.2 M   0.997   1.125   0.78               0.78
    128, 4              0.56 M    1.6 M   1.078   1.260   0.86               0.86
    192, 4              1.25 M    1.2 M   1.111   1.290   0.88               0.87
    192, 4              1.25 M    1.7 M   1.014   1.192   0.81               0.81

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
