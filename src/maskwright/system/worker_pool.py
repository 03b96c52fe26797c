"""Threads that compute on one core each, kept for the life of the process.

In: how many. Out: a pool of them. Several batches on as many of these are done sooner than one after the other on all cores
(LOG.md#batch-a-thread). Knows nothing of what they compute.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

_pools: dict[int, ThreadPoolExecutor] = {}
_making = threading.Lock()


def single_core_workers(count: int) -> ThreadPoolExecutor:
    """`count` threads on which torch computes on one core each; the same pool at every call, safe from several threads.

    torch keeps one number for threads that are still to come, and one for each that is there: the first is changed for the
    moment in which these threads begin, once in a process, and what callers have set for themselves stays.
    """
    with _making:
        if count not in _pools:
            import torch

            usual = torch.get_num_threads()
            pool = ThreadPoolExecutor(count, "maskwright-worker", _begin)
            begun = threading.Barrier(count + 1)
            for _ in range(count):  # each waits for the others, so that none takes two of these tasks
                pool.submit(begun.wait)
            begun.wait()
            torch.set_num_threads(usual)
            _pools[count] = pool
        return _pools[count]


def _begin() -> None:
    import torch

    torch.set_num_threads(1)
    torch.get_num_threads()  # a thread that is asked for the first time takes the common number: let it be while that is 1
    torch.set_flush_denormal(True)  # numbers below 1e-38 count as zero: chips compute them slowly (LOG.md#denormals)
