"""What a budget buys: the size of the net, the batch and the number of steps, from the speed of this machine.

In: a budget and the size of the corpus. Out: the recipe's `net` and `train` filled in. Speed is measured, once, on the
net that would be trained. Only a budget ever asks a clock: here, in the loop's `Pace`, and for calibration's size.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from maskwright import modalities
from maskwright.errors import RecipeError
from maskwright.nets.encoder import NetConfig
from maskwright.records.read import Record, Source, read
from maskwright.tokens import Array
from maskwright.training.schedule import TrainConfig

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
DECAY_SHARE = 0.5
"""of a run's time, in which the learning rate falls"""
FINISH_SHARE = 0.1
"""of a budget, put aside for calibration and the last files"""
TYPICAL_STEP, TYPICAL_SPEED, TYPICAL_SHARE = 0.1, 20_000.0, 0.4
"""seconds a step, tokens a second, share of the matrix rate: guesses where nothing was measured yet"""
CONTINUED_LR = 5e-4
"""the highest learning rate of a run that goes on from a checkpoint"""
OPEN = 1_000_000_000
"""steps of a run whose end the clock has still to settle"""
LADDER = (
    # seconds of training from which a size pays, on a machine of 0.4 TFLOP/s; width, layers, heads, ff, batch tokens
    (0, 128, 3, 2, 192, 1024),
    (40, 128, 4, 2, 192, 2048),
    (300, 192, 4, 3, 288, 2048),
    (1500, 256, 6, 4, 384, 4096),
    (5400, 384, 8, 6, 576, 8192),
    (14400, 512, 12, 8, 768, 16384),
    (86400, 768, 16, 12, 1152, 32768),
)


def seconds(budget: str) -> float:
    """'90s', '10m', '1.5h', '10 min' -> seconds. Raises RecipeError on anything else, and on nothing."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd])(?:ec|in|ours?|ays?)?\s*", budget.lower())
    if not match:
        raise RecipeError(f"--budget {budget}: write a number and a unit, such as 90s, 10m or 2h")
    value = float(match[1]) * _UNITS[match[2]]
    if value < 10:
        raise RecipeError(f"--budget {budget}: too short to train anything; give at least 10s (a minute is a good start)")
    return value


@dataclass(frozen=True)
class Length:
    """How long a run shall be: one of these is given."""

    seconds: float | None = None
    """left of the budget"""
    steps: int | None = None
    tokens: int | None = None

    @property
    def worth(self) -> float:
        """Seconds of training on a machine of 0.4 TFLOP/s; no clock decides where steps or tokens are given."""
        if self.seconds is not None:
            return self.seconds * (1 - FINISH_SHARE) * matrix_rate(dtype()) / 0.4e12
        return self.steps * TYPICAL_STEP if self.steps else (self.tokens or 0) / TYPICAL_SPEED


def shape(length: Length, records: Array, frame: int) -> tuple[NetConfig, TrainConfig]:
    """Net and batch for a run of this length on training records of so many tokens each (R,)."""
    worth = length.worth
    _, width, layers, heads, ff, batch = [rung for rung in LADDER if rung[0] <= worth][-1]
    most, reach = 128 if worth < 300 else 256, 32
    while reach < min(int(np.quantile(records, 0.99)) + frame, most):
        reach *= 2
    net = NetConfig(width=width, layers=layers, heads=heads, ff=ff, length=reach)
    batch = max(min(batch, int(records.sum()) // 4), 256)
    look = int(min(max(worth * 100, 8_000), 60_000))
    return net, TrainConfig(batch_tokens=batch, look_tokens=look)


def completed(given: dict[str, Any]) -> dict[str, Any]:
    """Settings with what follows from a width that is given alone: heads of 64 or the next that divide it, and `ff`."""
    width = given.get("net.width")
    if not width or width < 1:
        return given
    heads = next(h for h in range(max(width // 64, 1), 0, -1) if (width % h == 0 and (width // h) % 2 == 0) or h == 1)
    return {"net.heads": heads, "net.ff": max(width * 3 // 2, 1)} | given


def steps(length: Length, config: TrainConfig) -> int | None:
    """How many were asked for; None where the clock decides, or nothing was asked."""
    return length.steps or (max(length.tokens // config.batch_tokens, 1) if length.tokens else None)


def schedule(length: Length, net: NetConfig, config: TrainConfig) -> TrainConfig:
    """Steps, rise, fall and looks. With seconds the end is open: the loop settles it by the clock, before the decay."""
    given = steps(length, config)
    if given is not None:
        count = end = given
        fall = max(1, round(count * (1 - DECAY_SHARE)))
    else:
        matrices = net.layers * (4 * net.width**2 + 3 * net.width * net.ff)
        flops = 6 * config.batch_tokens * (matrices + 0.3 * 8192 * net.width)
        count = max(int((length.seconds or 0.0) * matrix_rate(dtype()) * TYPICAL_SHARE / flops), 1)
        end = fall = OPEN
    return replace(config, steps=end, decay_from=fall, warmup=min(max(count // 40, 5), 200), look_every=max(count // 12, 1))


def outlook(source: Source, budget: str) -> list[dict[str, Any]]:
    """A row for half the budget, the budget and double: the net, and how often it would see the data."""
    modality, _ = modalities.detect(source)
    sample: list[Record] = []
    sizes: list[int] = []
    for record in read(source):
        sizes.append(modality.size(record))
        if len(sample) < 2_000:
            sample.append(record)
    modality.fit(sample, sum(sizes))
    cut = np.array([len(next(iter(tokens.values()))) for tokens in modality.tokenise(sample)])
    total = int(cut.sum() * (sum(sizes) / max(sum(map(modality.size, sample)), 1)))
    rows = []
    for share, name in ((0.5, "half"), (1.0, "as asked"), (2.0, "double")):
        length = Length(seconds(budget) * share)
        net, config = shape(length, cut, modality.frame_size)
        count = schedule(length, net, config).look_every * 12
        rows.append({
            "budget": name, "seconds": round(seconds(budget) * share), "width": net.width, "layers": net.layers,
            "heads": net.heads, "ff": net.ff, "length": net.length, "batch_tokens": config.batch_tokens,
            "steps, about": count, "times the data, about": round(count * config.batch_tokens / max(total, 1), 1),
        })  # fmt: skip
    return rows


@lru_cache
def dtype() -> torch.dtype:
    """What this machine multiplies faster, measured: bf16 only where it is faster by a third."""
    return torch.bfloat16 if matrix_rate(torch.bfloat16) > 1.33 * matrix_rate(torch.float32) else torch.float32


@lru_cache
def matrix_rate(kind: torch.dtype) -> float:
    """FLOP/s of a product of the shape that training is made of; the best of a few, since machines are shared."""
    a, b = torch.ones(2048, 256, dtype=kind), torch.ones(768, 256, dtype=kind)
    best, deadline = float("inf"), time.monotonic() + 0.15
    while time.monotonic() < deadline:
        begun = time.perf_counter()
        F.linear(a, b)
        best = min(best, time.perf_counter() - begun)
    return 2 * 2048 * 256 * 768 / best
