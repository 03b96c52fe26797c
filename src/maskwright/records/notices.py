"""What is said of single records: the first few are passed on, each once, and all are counted.

In: messages. Out: some of them, to whoever listens. Knows nothing of what they say.
"""

from __future__ import annotations

from collections.abc import Callable

NAMED, REMEMBERED = 5, 1_000_000


class Notices:
    def __init__(self, say: Callable[[str], None]) -> None:
        self.say, self.count, self.first = say, 0, ""
        self.seen: set[int] = set()

    def __call__(self, message: str) -> None:
        if hash(message) in self.seen:  # files may be read twice
            return
        if len(self.seen) < REMEMBERED:
            self.seen.add(hash(message))
        self.count, self.first = self.count + 1, self.first or message
        if self.count <= NAMED:
            self.say(message)
