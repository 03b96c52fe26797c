"""Workers compute on one core each, and whoever asks for them keeps what it has."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from maskwright.system import worker_pool
from maskwright.system.worker_pool import single_core_workers


@pytest.fixture(autouse=True)
def three_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Of this thread, which is more than a worker has; and pools that nobody has made yet."""
    pools, before = dict[int, ThreadPoolExecutor](), torch.get_num_threads()
    monkeypatch.setattr(worker_pool, "_pools", pools)
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)
    for pool in pools.values():
        pool.shutdown()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_each_worker_computes_on_one_core_and_all_of_them_at_once(count: int) -> None:
    together = threading.Barrier(count)

    def work(_: int) -> tuple[str, int]:
        together.wait(timeout=30)  # passes only with so many at work
        return threading.current_thread().name, torch.get_num_threads()

    found = [*single_core_workers(count).map(work, range(count))]
    assert len({name for name, _ in found}) == count
    assert {threads for _, threads in found} == {1}


def test_the_threads_of_callers_and_of_those_to_come_stay_as_they_are() -> None:
    for count in (1, 4):
        single_core_workers(count).submit(torch.get_num_threads).result()
        assert torch.get_num_threads() == 3
        with ThreadPoolExecutor(1) as later:
            assert later.submit(torch.get_num_threads).result() == 3


def test_several_threads_that_ask_at_once_are_given_the_same_pool() -> None:
    begin, found = threading.Barrier(6), list[ThreadPoolExecutor]()

    def ask() -> None:
        begin.wait(timeout=30)
        found.append(single_core_workers(2))

    callers = [threading.Thread(target=ask) for _ in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(found) == 6
    assert len(set(map(id, found))) == 1
    assert found[0] is single_core_workers(2)
    assert found[0] is not single_core_workers(3)


def test_tiny_numbers_are_zero_for_workers_alone() -> None:
    if not torch.set_flush_denormal(False):
        pytest.skip("this chip always counts them")
    tiny = torch.full((10,), 1e-39)
    assert not single_core_workers(2).submit(lambda: (tiny * 0.5).any().item()).result()
    assert (tiny * 0.5).all()


def test_an_error_of_the_work_comes_to_whoever_asked_and_the_worker_goes_on() -> None:
    pool = single_core_workers(1)
    with pytest.raises(ZeroDivisionError):
        pool.submit(lambda: 1 / 0).result()
    assert pool.submit(torch.get_num_threads).result() == 1
