"""Work on the side: as if it were done here."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.system.prefetch import parallel_map


@given(st.lists(st.floats(0, 0.002), max_size=20), st.integers(1, 5))
@settings(deadline=None, max_examples=20)
def test_what_is_spread_comes_in_order_and_little_of_it_ahead(waits: list[float], threads: int) -> None:
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        time.sleep(waits[number])
        return number

    for at, found in enumerate(parallel_map(work, range(len(waits)), threads)):
        assert found == at
        assert max(begun) <= at + threads
    assert sorted(begun) == list(range(len(waits)))


def test_whoever_asks_no_more_leaves_nothing_running() -> None:
    done: list[int] = []
    got = parallel_map(lambda number: done.append(number), iter(range(1000)), 3)
    next(got)
    got.close()
    assert len(done) <= 5
    assert not any(thread.name.startswith("maskwright-spread") for thread in threading.enumerate())


def test_an_error_of_the_items_comes_too() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise KeyError("items")

    with pytest.raises(KeyError, match="items"):
        list(parallel_map(lambda number: number, items(), 3))


def test_an_error_comes_when_its_turn_does_and_ends_it() -> None:
    def work(number: int) -> float:
        return 6 / (3 - number)

    got = parallel_map(work, range(100), 4)
    assert [next(got) for _ in range(3)] == [2, 3, 6]
    with pytest.raises(ZeroDivisionError):
        next(got)
    assert not any(thread.name.startswith("maskwright-spread") for thread in threading.enumerate())
