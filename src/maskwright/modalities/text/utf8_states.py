"""Which tokens may stand beside each other so that their bytes are whole characters: UTF-8 as an automaton over tokens.

In: the bytes of every token. Out: for each token, where it leads from every state, and what a run of blanks may hold. A
state is what a character that has begun still needs; WHOLE needs nothing. The automaton is that of RFC 3629, section 4.
Knows no net and no query.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from maskwright.tokens import Array

WHOLE, _ONE, _TWO, _THREE, _E0, _ED, _F0, _F4, NONE = range(9)
"""Between characters; one, two, three bytes to come; after E0, ED, F0 and F4, whose next byte is limited; no UTF-8."""
STATES = 8
LONE = (np.arange(STATES) == WHOLE).tobytes()
"""What stands before and behind a blank that no other touches: whole characters, as `Vocabulary.between` takes it."""
_FIRST = (
    ((0x00, 0x7F), WHOLE), ((0xC2, 0xDF), _ONE), ((0xE0, 0xE0), _E0), ((0xE1, 0xEC), _TWO), ((0xED, 0xED), _ED),
    ((0xEE, 0xEF), _TWO), ((0xF0, 0xF0), _F0), ((0xF1, 0xF3), _THREE), ((0xF4, 0xF4), _F4),
)  # fmt: skip
_NEXT = {
    _ONE: (0x80, 0xBF, WHOLE), _TWO: (0x80, 0xBF, _ONE), _THREE: (0x80, 0xBF, _TWO), _E0: (0xA0, 0xBF, _ONE),
    _ED: (0x80, 0x9F, _ONE), _F0: (0x90, 0xBF, _TWO), _F4: (0x80, 0x8F, _TWO),
}  # fmt: skip


def step(state: int, byte: int) -> int:
    """The state after one more byte.

    >>> step(step(WHOLE, 0xC3), 0xA9) == WHOLE  # é
    True
    """
    if state == WHOLE:
        return next((after for (low, high), after in _FIRST if low <= byte <= high), NONE)
    low, high, after = _NEXT.get(state, (1, 0, NONE))
    return after if low <= byte <= high else NONE


def transitions(texts: Sequence[bytes]) -> Array:
    """(V, STATES) int8: the state after each token, begun in each state; NONE where they don't go together."""
    out = np.full((len(texts), STATES), NONE, dtype=np.int8)
    out[:, WHOLE] = WHOLE
    for token, text in enumerate(texts):
        try:
            text.decode()
            if text:
                continue  # whole characters, which stand between others
        except UnicodeDecodeError:
            pass
        for state in range(STATES):
            after = state
            for byte in text:
                after = step(after, byte)
            out[token, state] = after
    return out


def reachable(table: Array, allowed: Array) -> Array:
    """(STATES, STATES) bool: whether some allowed token leads from the first state to the second."""
    out = np.zeros((STATES, STATES), dtype=bool)
    for state in range(STATES):
        found = np.unique(table[allowed, state])
        out[state, found[found < STATES]] = True
    return out


def fitting(table: Array, before: Array, after: Array) -> Array:
    """(V,) bool: the tokens that lead from one of the states `before` to one of the states `after`, (STATES,) bool each."""
    ends = np.append(after, False)  # NONE
    return np.asarray(ends[table[:, before]].any(axis=1))
