"""Work on the side: the next items are made on threads of their own while one is used.

In: an iterator, perhaps what is to be done with each item. Out: the same items, or what came of them, in the same order, and
errors. Knows nothing of what it hands on.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

PATIENCE = 1.0
"""Seconds for which a thread is waited for whose items nobody wants any longer."""
_S = TypeVar("_S")
_T = TypeVar("_T")


def prefetch(items: Iterator[_T], ahead: int = 4) -> Iterator[_T]:
    """The same items, made on a thread of their own, `ahead` at the most."""
    ready: queue.Queue[tuple[str, Any]] = queue.Queue(ahead)
    stop = threading.Event()

    def put(item: tuple[str, Any]) -> None:
        while not stop.is_set():
            try:
                return ready.put(item, timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for item in items:
                put(("item", item))
                if stop.is_set():
                    return
            put(("end", None))
        except BaseException as error:  # whatever it is, it belongs to the one who asked
            put(("error", error))

    thread = threading.Thread(target=work, daemon=True, name="maskwright-reader")
    thread.start()
    try:
        while True:
            what, value = ready.get()
            if what == "error":
                raise value
            if what == "end":
                return
            yield value
    finally:
        stop.set()
        thread.join(PATIENCE)  # it may wait for a pipe that nobody writes to


def parallel_map(work: Callable[[_S], _T], items: Iterable[_S], threads: int) -> Iterator[_T]:
    """What `work` makes of each item, on so many threads, hardly more than that ahead of the one who asks."""
    pool, waiting = ThreadPoolExecutor(threads, "maskwright-spread"), deque[Future[_T]]()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
