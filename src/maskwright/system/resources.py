"""How much of the machine is ours: cores, and memory, of the machine or of the container that this runs in.

Knows nothing of what they are used for.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

CONTAINER = Path("/sys/fs/cgroup")


def cores() -> int:
    """That this process may use."""
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = [_numbers("cpu.max"), _numbers("cpu/cpu.cfs_quota_us") + _numbers("cpu/cpu.cfs_period_us")]
    shares = [quota / period for quota, period in (limit for limit in limits if len(limit) == 2) if quota > 0]
    return max(min([own, *(math.ceil(share) for share in shares)]), 1)


def memory() -> float:
    """Bytes; infinite where nothing says."""
    try:
        whole = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (ValueError, OSError, AttributeError):  # not a Unix
        whole = math.inf
    return min([whole, *_numbers("memory.max"), *_numbers("memory/memory.limit_in_bytes")])


def _numbers(name: str) -> list[float]:
    """What a container's limits say (control groups, version 2 or 1); nothing where there is none."""
    try:
        return [float(word) for word in (CONTAINER / name).read_text(encoding="utf-8").split()]
    except (OSError, ValueError):
        return []
