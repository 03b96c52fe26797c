"""What is said of single records while they are read: what was skipped, what a user should know.

In: messages, one a record. Out: the first few, each once, to whoever listens, and how many there were. Knows nothing of what
they say.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

from maskwright.errors import MaskwrightWarning, spelled

NAMED, REMEMBERED = 5, 1_000_000
"""Number of distinct notices that are passed on; and number of notices that are remembered, so that a repeated one is
recognised when files are read twice."""


@dataclass(frozen=True)
class Notice:
    """Something to know of a record, a file or a folder. Its options are marked, as those of errors are."""

    what: str
    where: str = ""

    @property
    def message(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what

    def __str__(self) -> str:
        return spelled(self.message)


Listener = Callable[[Notice], None]


def unheard(notice: Notice) -> None:
    """Nobody listens."""


def warn(notice: Notice) -> None:
    """Python is told as it tells its users anything that is no error."""
    warnings.warn(MaskwrightWarning(notice.message), stacklevel=2)


class Notices:
    """Passes on the first few different notices, and counts all of them."""

    def __init__(self, say: Listener) -> None:
        self.say, self.count = say, 0
        self.first: Notice | None = None
        self._seen: set[int] = set()

    def __call__(self, notice: Notice) -> None:
        seen = hash(notice)
        if seen in self._seen:
            return
        if len(self._seen) < REMEMBERED:
            self._seen.add(seen)
        self.count, self.first = self.count + 1, self.first or notice
        if self.count <= NAMED:
            self.say(notice)

    def summary(self, what: str) -> str:
        """How many there were, where not all of them were passed on; else nothing."""
        return f"{self.count:,} {what} in all" if self.count > NAMED else ""
