"""What is said of single records: the first few are passed on, each once, and all are counted.

In: messages. Out: some of them, to whoever listens. Knows nothing of what they say.
"""

from __future__ import annotations

from collections.abc import Callable

NAMED = 5


class Heard:
    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.messages: set[str] = set()

    def __call__(self, message: str) -> None:
        if message not in self.messages and len(self.messages) < NAMED:  # files may be read twice
            self.say(message)
        self.messages.add(message)

    @property
    def count(self) -> int:
        return len(self.messages)
