"""The device that a net works on, and what it multiplies how fast.

In: a wish (auto, cpu, cuda). Out: a torch device, the precision that pays there, its matrix rate. Knows nothing of nets.
"""

from __future__ import annotations

import os
import time
from functools import lru_cache

import torch
from torch.nn import functional as F

from maskwright.errors import RecipeError

DEVICES = ("auto", "cpu", "cuda")
PRODUCTS = {"cpu": (2048, 256, 768), "cuda": (8192, 4096, 4096)}
"""rows, inward, outward: a product like those of training, large enough to keep the device busy"""
WORTH_IT = 1.33
"""bf16 is taken where it is faster than fp32 by this"""


def device(wish: str) -> torch.device:
    """One of `DEVICES`; under torchrun each process takes its own GPU. Raises RecipeError where it isn't there."""
    if wish not in DEVICES:
        raise RecipeError(f"device {wish!r}: choose one of {', '.join(DEVICES)}")
    there = torch.cuda.is_available()
    if wish == "cuda" and not there:
        raise RecipeError("device cuda: torch finds no CUDA device here; use --device cpu, or a CUDA build of torch")
    if wish == "cpu" or not there:
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())


def name(place: torch.device) -> str:
    """What tells one kind of chip from another, as far as results go."""
    return torch.cuda.get_device_name(place) if place.type == "cuda" else torch.backends.cpu.get_cpu_capability()


@lru_cache
def precision(place: torch.device) -> torch.dtype:
    """What the device multiplies faster, measured."""
    fast, plain = matrix_rate(torch.bfloat16, place), matrix_rate(torch.float32, place)
    return torch.bfloat16 if fast > WORTH_IT * plain else torch.float32


@lru_cache
def matrix_rate(kind: torch.dtype, place: torch.device) -> float:
    """FLOP/s of a product of the shape that training is made of; the best of a few, since machines are shared."""
    rows, inward, outward = PRODUCTS[place.type]
    a, b = torch.ones(rows, inward, dtype=kind, device=place), torch.ones(outward, inward, dtype=kind, device=place)
    best, deadline = float("inf"), time.monotonic() + 0.15
    while time.monotonic() < deadline:
        finish(place)
        begun = time.perf_counter()
        F.linear(a, b)
        finish(place)
        best = min(best, time.perf_counter() - begun)
    return 2 * rows * inward * outward / best


def finish(place: torch.device) -> None:
    """Waits for work that a GPU goes on with behind Python's back."""
    if place.type == "cuda":
        torch.cuda.synchronize(place)
