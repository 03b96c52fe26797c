"""What a run asks of the process that it lives in: to be stopped politely, to keep its memory, to round to zero.

In: signals. Out: a flag that the loop looks at between two steps, or `Interrupted` where there is nothing to save first.
"""

from __future__ import annotations

import ctypes
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from maskwright.errors import Interrupted, option


class Stop:
    """Whether the user asked to stop: at once, until there is something worth saving first."""

    def __init__(self) -> None:
        self.asked = False
        self._words = f"stopped before the first step; the same command with {option('resume', True)} begins again"
        self._patient = False

    def politely(self) -> None:
        """From here on the first request only sets `asked`; a second one means it."""
        self._patient = True
        again = f"the same command with {option('resume', True)}"
        self._words = f"stopped in the middle of a step; {again} goes on from the last checkpoint"

    def at_once(self, words: str) -> None:
        """From here on nobody looks at `asked`: a request ends the run with these words."""
        self._patient, self._words = False, words

    def __call__(self, number: int, frame: object) -> None:
        if self.asked or not self._patient:
            raise Interrupted(self._words)
        self.asked = True


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Ctrl-C and SIGTERM ask to stop; what they did before comes back at the end."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def flush_denormals() -> Iterator[None]:
    """Numbers below 1e-38 count as zero. Chips compute them in a slow way, Intel's up to a hundred times slower, and a net
    that is sure of itself makes many (LOG.md#denormals). It holds in this thread, and in those that torch starts
    for it from here on."""
    import torch

    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def keep_memory() -> None:
    """Large blocks stay with the process instead of going back to the system after every step (glibc; LOG.md#allocator)."""
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
        libc.mallopt(-1, (1 << 31) - 1)  # M_TRIM_THRESHOLD
    except (OSError, AttributeError):
        pass
