"""What a net learns: the small scaling rule by which a budget picks its size.

In: parameters of the encoder's matrices, tokens trained on, tokens that the corpus has. Out: expected held-out bits, as a
share of what counting neighbours needs on the same positions; and the batch that goes with so many tokens.
"""

from __future__ import annotations

BATCHES = (2048, 65_536)
SPREAD = 1.2


def loss(matrices: int, tokens: float, own: int) -> float:
    return 0.3 + 0.2 * (matrices / 1e6) ** -0.3 + 0.4 * (tokens / 1e6) ** -0.35


def batch(tokens: float) -> int:
    return 2048
