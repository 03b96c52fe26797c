"""The chip decides the precision, whatever a clock would say."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest
import torch

from maskwright.system import device

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
