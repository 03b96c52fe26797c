"""What a long task tells whoever watches it.

In: facts of the task. Out: `Progress`, handed to one callback. Knows neither tasks nor terminals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from maskwright.errors import spelled


@dataclass(frozen=True)
class Progress:
    """One piece of news."""

    phase: str
    """of a run: reading, tokeniser, tokenising, counting, training, calibrating, done"""
    share: float | None = None
    """of the phase that is done, in [0, 1], where that is known"""
    size: float = 0.0
    """bytes of data that are done, where that is known"""
    line: dict[str, Any] | None = None
    """what was added to metrics.jsonl"""
    notice: str = ""
    """something that the user should read, its options still marked (`errors.spelled`)"""

    @property
    def words(self) -> str:
        """`notice`, as Python spells options."""
        return spelled(self.notice)


Watcher = Callable[[Progress], None]


def unwatched(progress: Progress) -> None:
    """Nobody watches."""
