"""Long native calls that Ctrl-C and SIGTERM end at once.

In: a function. Out: what it returns or raises. Python hears of a signal only between two of its own steps, so that a call
into a library that takes a minute is deaf for a minute. Here it runs on a thread of its own, and the caller's waits for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

LOOK_EVERY = 0.2
"""Seconds between two looks at whether a signal has come."""
_T = TypeVar("_T")


def interruptible(work: Callable[[], _T]) -> _T:
    """`work()`, which must not need the thread it was called from. What a signal's handler raises is raised here, and `work`
    is left to itself: its thread ends with the process.

    >>> interruptible(lambda: 6 * 7)
    42
    """
    if threading.current_thread() is not threading.main_thread():  # which hears no signals
        return work()
    done = threading.Event()
    result: list[Any] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            result.append(work())
        except BaseException as error:  # it belongs to the one who asked
            failure.append(error)
        finally:
            done.set()

    threading.Thread(target=run, daemon=True, name="maskwright-native").start()
    while not done.wait(LOOK_EVERY):
        pass
    if failure:
        raise failure[0]
    found: _T = result[0]
    return found
