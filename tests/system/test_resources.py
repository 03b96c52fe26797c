"""What the system or a container gives us is ours, and no more."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maskwright.system import device, resources

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("files", "cores", "memory"),
    [
        ({"cpu.max": "100000 100000", "memory.max": "1000000"}, 1, 800_000.0),
        ({"cpu.max": "max 100000", "memory.max": "max"}, None, None),
        ({"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, 1, None),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None, None),
        ({"memory/memory.limit_in_bytes": "2000000"}, None, 1_600_000.0),
        ({"cpu.max": "9900000 100000", "memory.max": "9223372036854771712"}, None, None),
        ({}, None, None),
    ],
)
def test_a_containers_limits_are_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], cores: int | None, memory: float | None
) -> None:
    """None: as without a container."""
    monkeypatch.setattr(resources, "CONTAINER", tmp_path / "none")
    free = resources.cores(), device.device_memory(CPU)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    monkeypatch.setattr(resources, "CONTAINER", tmp_path)
    assert resources.cores() == (cores or free[0])
    assert device.device_memory(CPU) == pytest.approx(memory or free[1])


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds nobody to cores")
def test_whoever_is_bound_to_one_core_has_one_and_others_keep_theirs() -> None:
    before, found = resources.cores(), list[int]()

    def bound() -> None:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # of this thread alone
        found.append(resources.cores())

    thread = threading.Thread(target=bound)
    thread.start()
    thread.join()
    assert found == [1]
    assert resources.cores() == before


@given(quota=st.integers(1, 10**7), period=st.integers(1, 10**6), limit=st.integers(0, 2**63 - 1))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_limit_takes_away_and_never_adds_and_one_core_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: int, period: int, limit: int
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(resources, "CONTAINER", tmp_path / "none")
        cores, memory = resources.cores(), resources.memory()
        patched.setattr(resources, "CONTAINER", tmp_path)
        (tmp_path / "cpu.max").write_text(f"{quota} {period}\n")
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        assert 1 <= resources.cores() <= cores
        assert resources.cores() >= min(quota / period, cores)
        assert resources.memory() <= min(limit, memory)


def test_limits_that_nobody_can_read_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "CONTAINER", tmp_path / "none")
    free = resources.cores(), resources.memory()
    (tmp_path / "cpu.max").write_text("as many as you like\n")
    (tmp_path / "memory.max").mkdir()
    monkeypatch.setattr(resources, "CONTAINER", tmp_path)
    assert (resources.cores(), resources.memory()) == free
