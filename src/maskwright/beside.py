"""Work on the side: the next items are made on a thread of their own while one is used.

In: an iterator. Out: the same items in the same order, and its errors. Knows nothing of what it hands on.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any, TypeVar

_T = TypeVar("_T")


def beside(items: Iterator[_T], ahead: int = 4) -> Iterator[_T]:
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
        thread.join()
