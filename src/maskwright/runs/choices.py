"""What was not asked for, chosen: the net's size, batch, steps, device, precision. From here on the recipe says everything.

In: a recipe with what was given, a corpus, how long the run shall be. Out: the recipe, complete. A budget is spent by
`sizing.py`; what the machine decides is said in `machine.py`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from maskwright.errors import option
from maskwright.model.calibration import CalibrationConfig
from maskwright.runs import run_folder, sizing
from maskwright.runs.corpus import Corpus
from maskwright.runs.machine import on_this_machine
from maskwright.runs.recipe import Recipe
from maskwright.system.device import device_memory, torch_device
from maskwright.system.progress import Progress, Watcher
from maskwright.training.cost_model import Speed
from maskwright.training.distributed import ProcessGroup
from maskwright.training.step_timing import measure_speed

SLOTS = 2000
"""Number of slots that calibration is fitted on where the run's length was given in steps or tokens, and no clock is
asked."""


def complete(
    recipe: Recipe,
    given: Mapping[str, Any],
    asked: sizing.AskedLength,
    corpus: Corpus,
    processes: ProcessGroup,
    begun: float,
    watch: Watcher,
) -> Recipe:
    """The recipe of the run that goes with this corpus; keys that were `given` stay as they are. `begun`: time.monotonic()
    of the command's start. Raises RecipeError, ModelError, RunError."""
    modality, shards, train = corpus.modality, corpus.shards, corpus.parts.train
    if recipe.init:
        recipe = replace(recipe, train=replace(recipe.train, lr=sizing.CONTINUED_LR))
    config, words = on_this_machine(recipe.train, processes.here)
    if words:
        watch(Progress("training", notice=words))
    recipe = replace(recipe, train=config)
    left = _seconds_left(recipe, begun, watch) if recipe.budget else None
    length = sizing.Length(left, asked.steps, asked.tokens, given.get("train.batch_tokens"))
    there = modality.checkpoints.net_config(Path(recipe.init)) if recipe.init else None
    place, dtype = torch_device(config.device), getattr(torch, config.dtype)

    def time_steps(likely: sizing.Choice) -> Speed:
        with run_folder.kernels(config):
            return measure_speed(likely.work, modality, shards, train, place, dtype)

    room = sizing.Place(device_memory(place) / processes.here, dtype.itemsize, processes.count)
    choice = sizing.choose(length, given, there, modality, shards.lengths[train], time_steps, room)
    config = replace(config, batch_tokens=choice.batch_tokens, look_tokens=sizing.look_tokens(length))
    own = {key: value for key, value in given.items() if key not in run_folder.LEFT_TO_THE_RUN}
    recipe = replace(recipe, net=choice.net, train=config).with_values(own)
    recipe = replace(recipe, train=sizing.schedule(length, choice, recipe.train))
    slots = recipe.calibration.slots or (0 if recipe.budget else SLOTS)
    return replace(recipe, calibration=CalibrationConfig(slots=slots)).with_values(own)


def _seconds_left(recipe: Recipe, begun: float, watch: Watcher) -> float:
    """Of the budget, after reading; says where reading took most of it."""
    whole, gone = sizing.seconds(recipe.budget), time.monotonic() - begun
    if gone > whole / 2:
        words = (
            f"reading took {gone:.0f} s of {whole:.0f}, and training has the rest; a longer {option('budget')}, or fewer or"
            " smaller records, would give it more"
        )
        watch(Progress("reading", notice=words))
    return max(whole - gone, 1.0)  # reading alone may have taken all of it: then the least is trained
