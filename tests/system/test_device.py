"""The chip decides the precision, whatever a clock would say; a container's limits are ours."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest
import torch

from maskwright.system import device, resources

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("capability", "has", "vendor", "dtype"),
    [
        ("AVX512", {"avx512_bf16": True}, "AuthenticAMD", torch.bfloat16),
        ("AVX512", {"avx512_bf16": True}, "GenuineIntel", torch.float32),
        ("AVX512", {"avx512_bf16": True, "amx_bf16": True}, "GenuineIntel", torch.bfloat16),
        ("AVX512", {"avx512_bf16": False}, "AuthenticAMD", torch.float32),
        ("AVX2", {"avx512_bf16": True}, "AuthenticAMD", torch.float32),  # torch was told to do without
        ("SVE256", {"bf16": True}, "", torch.bfloat16),
        ("DEFAULT", {"bf16": True}, "", torch.float32),
    ],
)
def test_precision_is_the_chips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capability: str, has: dict[str, bool], vendor: str, dtype: torch.dtype
) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nvendor_id : {vendor}\n")
    monkeypatch.setattr(device, "CHIP", tmp_path / "cpuinfo")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)
    assert device.fast_dtype(CPU) == dtype


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names of an x86 chip")
def test_torch_knows_the_names_that_are_asked_for() -> None:
    asked = {*device.BFLOAT16["AVX512"], *device.VENDORS["AVX512"]["AuthenticAMD"]}
    assert asked <= set(torch.cpu.get_capabilities())


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
