"""Records of any length through a net that reads so many tokens at once.

In: a record's tokens. Out: overlapping windows of them, and for every token the window where it lies most central.
Nothing is ever cut off in silence. Knows nothing of what the net is asked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maskwright.tokens import Array


@dataclass(frozen=True)
class Windows:
    starts: Array
    """(n,) first token of each window"""
    ends: Array
    owner: Array
    """(N,) the window that answers for each token"""


def windows(tokens: int, most: int) -> Windows:
    """Windows of at most `most` tokens, half of each overlapping the next, spread evenly over `tokens`."""
    if tokens <= most:
        return Windows(np.array([0]), np.array([tokens]), np.zeros(tokens, dtype=np.int64))
    count = -(-(tokens - most) // max(most // 2, 1)) + 1
    starts = np.round(np.linspace(0, tokens - most, count)).astype(np.int64)
    return Windows(starts, starts + most, _most_central(starts, most, np.arange(tokens)))


def around(tokens: int, at: Array, most: int) -> tuple[int, int]:
    """The window of at most `most` tokens that has the stretch `at` (ascending indices) in its middle."""
    if tokens <= most:
        return 0, tokens
    centre = (int(at[0]) + int(at[-1]) + 1) // 2
    start = min(max(centre - most // 2, 0), tokens - most)
    return start, start + most


def _most_central(starts: Array, most: int, token: Array) -> Array:
    centre = starts + (most - 1) / 2
    right = np.searchsorted(centre, token).clip(0, len(starts) - 1)
    left = (right - 1).clip(0)
    return np.where(np.abs(centre[left] - token) <= np.abs(centre[right] - token), left, right)
