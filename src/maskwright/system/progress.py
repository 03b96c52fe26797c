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
    """Phase of the run: reading, tokeniser, tokenising, counting, training, calibrating, done."""
    share: float | None = None
    """Share of the phase that is done, in [0, 1]; None where that is not known."""
    size: float = 0.0
    """Bytes of data that are done; 0 where that is not known."""
    line: dict[str, Any] | None = None
    """Entry that was added to metrics.jsonl; None where there was none."""
    notice: str = ""
    """Message that the user should read, its options still marked (`errors.spelled`); empty: none."""

    @property
    def words(self) -> str:
        """`notice`, as Python spells options."""
        return spelled(self.notice)


Watcher = Callable[[Progress], None]


def unwatched(progress: Progress) -> None:
    """Nobody watches."""
