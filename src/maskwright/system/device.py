"""The device that a net works on, what it multiplies how fast, and how much memory a run may take there.

In: a wish (auto, cpu, cuda). Out: a torch device, the precision that pays there, its matrix rate, memory. Knows nothing
of nets. torch is imported when a function needs it.
"""

from __future__ import annotations

import os
import platform
import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from maskwright.errors import RecipeError, option
from maskwright.system import resources

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda")
PRODUCTS = {"cpu": (2048, 256, 768), "cuda": (8192, 4096, 4096)}
"""Matrix product by which a device's speed is measured, as rows, input width and output width: like those of training, and
large enough to keep the device busy."""
CHIP = Path("/proc/cpuinfo")
SHARE = 0.8
"""Share of the memory of the machine, or of its GPU, that a run may take."""
BFLOAT16 = {"AVX512": ("amx_bf16",), "SVE256": ("bf16", "sve_bf16")}
"""CPU features that multiply bf16 faster than fp32, by the instruction set that torch uses."""
VENDORS = {"AVX512": {"AuthenticAMD": ("avx512_bf16",)}}
"""CPU features that multiply bf16 faster than fp32 on chips of one vendor only, by instruction set and vendor: with
AVX512-BF16 alone AMD's are twice as fast in bf16, Intel's half as fast (LOG.md#bf16-by-vendor)."""
BFLOAT16_CHIP = (8, 0)
"""CUDA compute capability from which a GPU multiplies bf16 faster than fp32."""


def torch_device(wish: str) -> torch.device:
    """One of `DEVICES`; under torchrun each process takes its own GPU. Raises RecipeError where it isn't there."""
    if wish not in DEVICES:
        raise RecipeError(f"device {wish!r}: choose one of {', '.join(DEVICES)}", option="device")
    import torch

    there = torch.cuda.is_available()
    if wish == "cuda" and not there:
        raise RecipeError(
            "torch finds no CUDA device here",
            where="device cuda",
            fix=f"use {option('device', 'cpu')}, or a CUDA build of torch",
        )
    if wish == "cpu" or not there:
        return torch.device("cpu")
    rank = int(os.environ.get("LOCAL_RANK", "0"))
    if rank >= torch.cuda.device_count():
        raise RecipeError(
            f"device cuda: {torch.cuda.device_count()} GPUs are too few for process {rank + 1} on this machine"
        )
    return torch.device("cuda", rank)


def device_memory(place: torch.device) -> float:
    """Bytes that a run may take: most of what the machine, or the GPU, has."""
    import torch

    if place.type == "cuda":
        return SHARE * torch.cuda.get_device_properties(place).total_memory
    return SHARE * resources.memory()


def device_name(place: torch.device) -> str:
    """What tells one kind of chip from another, as far as results go."""
    import torch

    return torch.cuda.get_device_name(place) if place.type == "cuda" else torch.backends.cpu.get_cpu_capability()


def fast_dtype(place: torch.device) -> torch.dtype:
    """What the device multiplies faster. The chip says so, no clock: one recipe must be one run however busy the machine."""
    import torch

    if place.type == "cuda":
        fast = torch.cuda.get_device_capability(place) >= BFLOAT16_CHIP
    else:
        has, capability = torch.cpu.get_capabilities(), torch.backends.cpu.get_cpu_capability()
        kinds = BFLOAT16.get(capability, ()) + VENDORS.get(capability, {}).get(vendor(), ())
        fast = any(has.get(kind) for kind in kinds)
    return torch.bfloat16 if fast else torch.float32


def vendor() -> str:
    """As the chip names it, GenuineIntel or AuthenticAMD; "" where that can't be known."""
    try:
        said = CHIP.read_text(encoding="utf-8")
    except OSError:
        said = platform.processor()
    return next((name for name in ("AuthenticAMD", "GenuineIntel") if name in said), "")


def matrix_rate(kind: torch.dtype, place: torch.device) -> float:
    """FLOP/s of a product of the shape that training is made of, on as many threads as torch uses now."""
    import torch

    return _matrix_rate(kind, place, torch.get_num_threads())


@lru_cache
def _matrix_rate(kind: torch.dtype, place: torch.device, threads: int) -> float:
    """The best of a few, since machines are shared."""
    import torch
    from torch.nn import functional as F

    rows, inward, outward = PRODUCTS[place.type]
    a, b = torch.ones(rows, inward, dtype=kind, device=place), torch.ones(outward, inward, dtype=kind, device=place)
    best, deadline = float("inf"), time.monotonic() + 0.15
    while time.monotonic() < deadline:
        synchronise(place)
        begun = time.perf_counter()
        F.linear(a, b)
        synchronise(place)
        best = min(best, time.perf_counter() - begun)
    return 2 * rows * inward * outward / best


def synchronise(place: torch.device) -> None:
    """Waits for work that a GPU goes on with behind Python's back."""
    if place.type == "cuda":
        import torch

        torch.cuda.synchronize(place)
