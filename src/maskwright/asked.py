"""What a command asks of a run, checked before anything is read.

In: the options of `train`, None where not given. Out: a recipe with what was given put in, and how long the run shall be;
or one line on what doesn't go together.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from maskwright import modalities, plan
from maskwright.errors import RecipeError, RunError
from maskwright.nets import machine
from maskwright.nets.encoder import NetConfig
from maskwright.recipe import Recipe, parsed

DEFAULT_BUDGET = "10m"


@dataclass(frozen=True)
class Asked:
    recipe: Recipe
    given: dict[str, Any]
    """the keys of the recipe that were given: what is planned leaves them as they are"""
    length: dict[str, Any]
    """budget, steps and tokens, as given"""


def asked(options: dict[str, Any], settings: Sequence[str], length: dict[str, Any]) -> Asked:
    """`options` by their key in the recipe. Raises RecipeError, ModelError, RunError."""
    if sum(choice is not None for choice in length.values()) > 1:
        raise RecipeError("choose one of budget, steps and tokens")
    for name in ("steps", "tokens"):
        if length[name] is not None and length[name] < 1:
            raise RecipeError(f"--{name} {length[name]}: must be at least 1")
    if length["budget"] is not None:
        plan.seconds(length["budget"])
    told = parsed(settings)
    if "train.device" in told and options["train.device"]:
        raise RecipeError("train.device is given twice over: leave out --device, or the setting")
    init = options["init"]
    if init:
        own = {"tokenizer.path", "tokenizer.size"} & {*told, *(key for key, value in options.items() if value)}
        if own:
            name = "--tokenizer" if options["tokenizer.path"] else min(own)
            raise RecipeError(f"--init brings its own tokeniser; leave {name} out")
        options = options | {"tokenizer.path": init}
    given = {key: value for key, value in (options | told).items() if value is not None}
    if not init:
        plan.nets(given, NetConfig.length)  # refuses what no net could have
    # What `plan` will choose may go with net settings that the default width doesn't go with.
    recipe = Recipe().with_values({k: v for k, v in given.items() if not k.startswith("net.")})
    modalities.modality(recipe.modality)
    machine.device(recipe.train.device)
    if "train.steps" in given:
        if any(length.values()):
            raise RecipeError("train.steps is given twice over: leave out --budget, --steps and --tokens, or the setting")
        length = length | {"steps": recipe.train.steps}
    counted = length["steps"] or length["tokens"]
    recipe = replace(recipe, budget="" if counted else length["budget"] or DEFAULT_BUDGET)
    if init:
        _fits(init, given, recipe)
    return Asked(recipe, given, length)


def _fits(init: str, given: dict[str, Any], recipe: Recipe) -> None:
    """Whether the checkpoint can be gone on from as asked."""
    if not os.path.exists(init):
        raise RunError(f"{init}: no such file or folder")
    there = modalities.modality(recipe.modality).checkpoint(Path(init))
    for key in given:
        name = key.removeprefix("net.")
        if name != key and name != "length" and getattr(there, name) != given[key]:
            raise RecipeError(f"{key} = {given[key]}: the checkpoint has {getattr(there, name)}; leave it out")
