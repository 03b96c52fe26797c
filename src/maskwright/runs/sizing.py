"""What a budget buys: the size of the net, the batch and the number of steps, from the speed of this machine.

In: how long a run shall be, its corpus, a way to time a step. Out: a `Choice`, and the recipe's `net` and `train` with it.
Of every size it counts how many tokens the time buys (`training/cost_model.py`) and what the net would learn from them
(`modalities/scaling_law.py`). Only a budget ever asks a clock: here, in the loop's `Pace`, and for calibration's size.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from maskwright.errors import RecipeError, option
from maskwright.modalities.base import Modality
from maskwright.modalities.scaling_law import ScalingLaw
from maskwright.nets.encoder import NetConfig
from maskwright.tokens import Array
from maskwright.training.cost_model import Speed, Work
from maskwright.training.schedule import TrainConfig

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
DECAY_SHARE = 0.3
"""Share of a run's time in which the learning rate falls."""
FINISH_SHARE = 0.1
"""Share of a budget that is put aside for calibration and the last files."""
LAPTOP, LAPTOP_TOKENS = Speed(0.4e12, 16e-9), 20_000.0
"""Speed of a typical laptop, and the tokens per second that it trains on: for runs that ask no clock, and to guess which
step is worth timing."""
CONTINUED_LR = 5e-4
"""Peak learning rate of a run that continues from a checkpoint."""
OPEN = 1_000_000_000
"""Placeholder for the number of steps of a run whose end the clock has still to settle."""
CLOSE = 1.005
"""Ratio of expected losses up to which no one could tell them apart; the smaller net is chosen, as it answers faster."""
WIDTHS = (64, 128, 192, 256, 320, 384, 512, 640, 768, 1024)
REACH = (128, 256)
"""Longest piece of a record, in tokens: in runs shorter than `LONG_READING` seconds, and in longer ones."""
LONG_READING = 300
SIDE = 16
"""Tokens along every axis for which the longest piece has room, at least: less of a picture would show too little."""


def seconds(budget: str) -> float:
    """'90s', '10m', '1.5h', '10 min' -> seconds. Raises RecipeError on anything else, and on nothing."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd])(?:ec|in|ours?|ays?)?\s*", budget.lower())
    if not match:
        what = "write a number and a unit, such as 90s, 10m or 2h"
        raise RecipeError(what, where=option("budget", budget), option="budget")
    value = float(match[1]) * _UNITS[match[2]]
    if value < 10:
        fix = "give at least 10s (a minute is a good start)"
        raise RecipeError("too short to train anything", where=option("budget", budget), fix=fix, option="budget")
    return value


@dataclass(frozen=True, kw_only=True)
class AskedLength:
    """How long a run was asked to be: one of these, or nothing."""

    budget: str | None = None
    steps: int | None = None
    tokens: int | None = None

    @property
    def given(self) -> bool:
        return any((self.budget, self.steps, self.tokens))

    def checked(self) -> AskedLength:
        """Itself. Raises RecipeError where it makes no sense."""
        if sum(choice is not None for choice in (self.budget, self.steps, self.tokens)) > 1:
            raise RecipeError("choose one of budget, steps and tokens", option="budget")
        for name, count in (("steps", self.steps), ("tokens", self.tokens)):
            if count is not None and count < 1:
                raise RecipeError("must be at least 1", where=option(name, count), option=name)
        if self.budget is not None:
            seconds(self.budget)
        return self


@dataclass(frozen=True)
class Length:
    """How long a run shall be: one of these is given."""

    seconds: float | None = None
    """Seconds left of the budget; None where no budget was given."""
    steps: int | None = None
    tokens: int | None = None
    batch_tokens: int | None = None
    """Tokens in the batch of one step, where their number was given too; None: it is chosen."""

    @property
    def worth(self) -> float:
        """Seconds of training: of this machine, or of a laptop where steps or tokens are given and no clock is asked."""
        if self.seconds is not None:
            return self.seconds * (1 - FINISH_SHARE)
        return (self.tokens or (self.steps or 0) * (self.batch_tokens or ScalingLaw.batches[0])) / LAPTOP_TOKENS

    def counted(self, batch_tokens: int) -> int | None:
        """How many steps were asked for; None where the clock decides, or nothing was asked."""
        return self.steps or (max(self.tokens // batch_tokens, 1) if self.tokens else None)


@dataclass(frozen=True)
class Choice:
    net: NetConfig
    batch_tokens: int
    work: Work
    tokens: float
    """Number of tokens that the net will be trained on, about."""
    loss: float
    """Expected loss: held-out bits as a share of those that counting needs."""


def reach(length: Length, records: Array, modality: Modality) -> int:
    """The longest piece of a record that is read at once, for training records of so many tokens each (R,)."""
    most, size = max(REACH[length.worth >= LONG_READING], SIDE**modality.axes), 32
    while size < min(int(np.quantile(records, 0.99)) + modality.frame_size, most):
        size *= 2
    return size


def nets(given: Mapping[str, Any], reach: int, modality: Modality, there: NetConfig | None = None) -> list[NetConfig]:
    """What may be chosen from, smallest first: a shape for each width, with what the modality wants and those keys put in
    that were given; or the shape of a checkpoint that is gone on from."""
    if there and there.grid:  # its places are those of a whole square
        if given.get("net.length", there.length) != there.length:
            what = f"net.length: the checkpoint reads squares of {there.length} tokens"
            raise RecipeError(what, fix="leave it out", option="net.length")
        return [there]
    if there:
        return [replace(there, length=given.get("net.length", min(reach, there.length)))]
    own = {key.removeprefix("net."): value for key, value in given.items() if key.startswith("net.")}
    widths = (own["width"],) if "width" in own else WIDTHS
    found, wrong = [], RecipeError("")
    for width in widths:
        try:
            found.append(modality.shaped(replace(NetConfig(length=reach), **_shape(width) | own), own))
        except RecipeError as error:  # a number of heads that doesn't go with this width may go with another
            wrong = error
    if not found:
        raise wrong
    return found


def _shape(width: int) -> dict[str, int]:
    """Layers, heads of 64 dimensions or the next that divide the width, and `ff`."""
    heads = next(h for h in range(max(width // 64, 1), 0, -1) if (width % h == 0 and (width // h) % 2 == 0) or h == 1)
    return {"width": width, "layers": max(3, math.ceil(width / 48)), "heads": heads, "ff": max(width * 3 // 2, 1)}


@dataclass(frozen=True)
class Place:
    """Where a run works."""

    memory: float = math.inf
    """Bytes of memory that the run may take."""
    itemsize: int = 4
    """Bytes of one activation value."""
    processes: int = 1


def choose(
    length: Length,
    given: Mapping[str, Any],
    there: NetConfig | None,
    modality: Modality,
    records: Array,
    time_steps: Callable[[Choice], Speed],
    place: Place,
    share: float = 1.0,
) -> Choice:
    """The smallest net whose expected loss is close to the lowest, of those that fit into memory, for training records of
    so many tokens each (R,), which are a `share` of the corpus. `given`, `there`: as in `nets`. `time_steps` times a few
    steps of a likely one. Raises RecipeError, ModelError."""
    own = int(records.sum() / share)
    likely = nets(given, reach(length, records, modality), modality, there)
    works = [Work.of(modality, net, length.batch_tokens or modality.scaling.batches[0], records) for net in likely]

    def best(speed: Speed) -> Choice:
        found = [_expected(length, work, own, speed, place, modality.scaling) for work in works]
        room = [choice for choice in found if choice.work.memory(place.itemsize) <= place.memory]
        least = min(choice.loss for choice in room or found[:1])
        return next(choice for choice in room or found[:1] if choice.loss <= CLOSE * least)

    return best(LAPTOP if length.seconds is None else time_steps(best(LAPTOP)))


def _expected(length: Length, work: Work, own: int, speed: Speed, place: Place, law: ScalingLaw) -> Choice:
    together = place.processes if length.seconds is not None else 1  # what was counted is the same run on any number
    tokens = 0.0
    for _ in range(2):  # the batch depends on the tokens, and these a little on the batch
        # Each process has its part of a batch, and all of the optimiser's work.
        tokens = length.worth * together / speed.seconds(replace(work, turning=work.turning * together))
        if length.batch_tokens is None:
            work = replace(work, batch_tokens=max(min(law.batch(length.tokens or tokens), own // 4), 256))
    loss = law.loss(work.matrices, tokens, own)
    steps = length.counted(work.batch_tokens)
    return Choice(work.net, work.batch_tokens, work, steps * work.batch_tokens if steps else tokens, loss)


def schedule(length: Length, choice: Choice, config: TrainConfig) -> TrainConfig:
    """Steps, rise, fall and looks. With seconds the end is open: the loop settles it by the clock, before the decay."""
    given = length.counted(config.batch_tokens)
    count = given or max(int(choice.tokens / config.batch_tokens), 1)
    end, fall = (given, max(1, round(given * (1 - DECAY_SHARE)))) if given else (OPEN, OPEN)
    looks = max(count // 12, 1) if given else 0
    return replace(config, steps=end, decay_from=fall, warmup=min(max(count // 40, 5), 200), look_every=looks)


def look_tokens(length: Length) -> int:
    """Held-out tokens of a look, which takes its share of the time."""
    return int(min(max(length.worth * 100, 8_000), 60_000))
