"""The folder of a run, before its first step: opened, taken up where an earlier try left it, or left as it was.

In: where it is, what is asked of it. Out: the recipe and the checkpoint to go on with, or one line on why that can't be.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch

from maskwright.errors import RecipeError, RunError, option
from maskwright.modalities import detect
from maskwright.model.about import ABOUT, read_about
from maskwright.nets import native
from maskwright.records.read import once
from maskwright.records.shards import Shards
from maskwright.runs import sizing
from maskwright.runs.recipe import Recipe
from maskwright.system import resources
from maskwright.system.atomic_files import LOCK, write_whole
from maskwright.system.device import device_name, torch_device
from maskwright.training import checkpoint
from maskwright.training.prepare import fingerprint
from maskwright.training.schedule import TrainConfig

CHECKPOINTS, DATA, RECIPE, METRICS, PLACE = "checkpoints", "data", "recipe.toml", "metrics.jsonl", "place.json"
LEFT_TO_THE_RUN = {
    "train.threads": 0, "train.device": "auto", "train.dtype": "auto", "train.kernels": "auto", "calibration.slots": 0,
}  # fmt: skip
"""Recipe keys with the value that leaves the choice to the run; the written recipe has what was chosen instead."""
Found = tuple[dict[str, torch.Tensor], dict[str, Any]]
"""Checkpoint that was found: its tensors by name, and a few facts about the run."""


def open_folder(out: Path, recipe: Recipe, resume: bool) -> None:
    """The folder, made where it isn't; raises RunError where it is in the way of what is asked."""
    here = option("out", out)
    if out.exists() and not out.is_dir():
        raise RunError("is a file", where=here, fix="name a folder", option="out")
    there = {p.name for p in out.iterdir()} if out.exists() else set()
    if not resume and there - {LOCK}:
        fix = f"name another folder, or go on with {option('resume', True)}"
        raise RunError("exists", where=here, fix=fix, option="out")
    if resume and there and not there & {LOCK, RECIPE, ABOUT}:
        raise RunError("exists and holds no run to resume", where=here, fix="name another folder", option="out")
    if resume and not out.exists() and not recipe.data.paths:
        raise RunError("no such run to resume", where=here, option="out")
    for path in (*recipe.data.paths, recipe.data.held_out, recipe.init):
        if path and not once(path) and not os.path.exists(path):
            raise RunError("no such file or folder", where=path)
    out.mkdir(parents=True, exist_ok=True)


def finished(out: Path) -> bool:
    return (out / ABOUT).is_file() and read_about(out).finished


def resumed_recipe(out: Path, given: dict[str, Any], length: sizing.AskedLength) -> Recipe:
    """The recipe of the run that is there, with which repeated options must agree."""
    old = Recipe.read(out / RECIPE)
    steps = sizing.Length(None, length.steps, length.tokens).counted(old.train.batch_tokens)
    again = given | {"budget": length.budget, "train.steps": steps}
    own = old.section
    for key, value in again.items():
        if value is None or value == LEFT_TO_THE_RUN.get(key):
            continue
        if key.partition(".")[0] in {d.key for d in detect.descriptors().values()} - {own}:
            raise RunError(
                f"{out} was begun with {old.modality}, which has no {key}", fix="leave the option out to go on", option=key
            )
        if value != old[key]:
            what = f"{out} was begun with {key} = {old[key]!r}, not {value!r}"
            raise RunError(what, fix="leave the option out to go on", option=key)
    return old


def remove_unbegun(out: Path) -> None:
    """Where nothing was begun, the folder is as it was: a corrected command finds no leftovers in its way."""
    if not (out / RECIPE).exists() and not (out / ABOUT).exists():
        shutil.rmtree(out / CHECKPOINTS / DATA, ignore_errors=True)
        (out / LOCK).unlink(missing_ok=True)
        for path in (out / CHECKPOINTS, out):  # what somebody else put there stays
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()


def kernels(config: TrainConfig) -> AbstractContextManager[None]:
    """With or without our kernels, as the recipe says; raises RunError where it wants what isn't here."""
    wanted = config.kernels == "native"
    found, why = native.found(torch_device(config.device))
    if wanted and not found:
        what = f"train.kernels = native, and here are none: {why}"
        fix = f"leave the setting out, and train to another {option('out')}"
        raise RunError(what, fix=fix, option="train.kernels")
    return native.using(wanted)


def checkpoint_to_resume(out: Path, shards: Shards, recipe: Recipe, resume: bool, exactly: bool) -> Found | None:
    """The checkpoint to go on from; exactly only where data, torch and chip are what they were: says so if not."""
    elsewhere = f"train to another {option('out')}"
    try:
        place = torch_device(recipe.train.device)
    except RecipeError:
        what = "can't go on: it was begun on a GPU, and torch finds none here"
        raise RunError(what, where=out, fix=elsewhere) from None
    here: dict[str, Any] = {
        "data": fingerprint(shards),
        "torch": torch.__version__,
        "chip": device_name(place),
        "kernels": native.found(place)[1] if recipe.train.kernels == "native" else "torch",
        "cores": resources.cores(),
    }
    path = out / CHECKPOINTS / PLACE
    found = checkpoint.latest(out / CHECKPOINTS) if resume else None
    if found is None:
        (out / METRICS).write_bytes(b"")
        write_whole(path, json.dumps(here).encode())
        return None
    was = json.loads(path.read_text(encoding="utf-8"))
    for name, value in here.items():
        if was[name] != value and name != "cores":
            raise RunError(f"can't go on exactly: {name} was {was[name]}, is {value}", where=out, fix=elsewhere)
    if exactly and recipe.train.threads > here["cores"]:
        what = f"can't go on exactly: it runs on {recipe.train.threads} threads, here are {here['cores']} cores"
        raise RunError(what, where=out, fix="go on where there are as many")
    return found
