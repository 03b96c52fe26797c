"""Numbers that a caller gives, of Python's kinds or numpy's, checked.

In: whatever was given for an option. Out: a Python number; or a QueryError that names the option.
"""

from __future__ import annotations

import operator
from typing import Any

from maskwright.errors import QueryError


def whole(given: Any, name: str, least: int) -> int:
    """A whole number of any kind, `least` at the least.

    >>> whole(3, "n", 1)
    3
    """
    try:
        number = None if isinstance(given, bool) else operator.index(given)
    except TypeError:
        number = None
    if number is None:
        raise QueryError(f"{name} must be a whole number, got {given!r}", option=name)
    if number < least:
        raise QueryError(f"{name} must be at least {least}, got {number}", option=name)
    return number


def share(given: Any, name: str) -> float:
    """A number between 0 and 1, of any kind, neither of them included.

    >>> share(0.9, "coverage")
    0.9
    """
    try:
        number = float(given)
    except (TypeError, ValueError):
        raise QueryError(f"{name} must be a number between 0 and 1, got {given!r}", option=name) from None
    if not 0 < number < 1:
        raise QueryError(f"{name} must lie between 0 and 1, got {number:g}", option=name)
    return number
