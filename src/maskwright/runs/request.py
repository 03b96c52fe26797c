"""What a command asks of a run, checked before anything is read.

In: the options of `train` and `plan`, None where not given. Out: a recipe with what was given put in, and how long the run
shall be; or one line on what doesn't go together. And what the machine decides where the user did not.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from maskwright import modalities
from maskwright.errors import RecipeError, RunError
from maskwright.modalities import Modality
from maskwright.nets import native
from maskwright.nets.encoder import NetConfig
from maskwright.records.forms import FORMS
from maskwright.records.read import ONCE, VALUES
from maskwright.runs import sizing
from maskwright.runs.recipe import Recipe, parsed
from maskwright.system import resources
from maskwright.system.device import fast_dtype, torch_device
from maskwright.training.schedule import TrainConfig

DEFAULT_BUDGET = "10m"
OPTIONS = {"tokenizer.path": "--tokenizer"}
"""keys of the recipe that have an option of their own"""
Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""a file, a folder, "-" for standard input; or several"""
Data = Paths | Iterable[Any]
"""the same, or the values themselves"""


@dataclass(frozen=True)
class Asked:
    recipe: Recipe
    given: dict[str, Any]
    """the keys of the recipe that were given: what is planned leaves them as they are"""
    length: dict[str, Any]
    """budget, steps and tokens, as given"""
    values: tuple[Any, ...] = ()
    """the data itself, where no path was given"""
    words: str = ""
    """what kind of data it was taken for, and why, where that was not said"""


def asked(
    data: Data | None,
    settings: Sequence[str],
    length: dict[str, Any],
    *,
    field: str | None = None,
    group: str | None = None,
    held_out: str | os.PathLike[str] | None = None,
    record: str | None = None,
    modality: str | None = None,
    tokenizer: str | os.PathLike[str] | None = None,
    init: str | os.PathLike[str] | None = None,
    extend_vocab: int | None = None,
    on_bad: str | None = None,
    device: str | None = None,
) -> Asked:
    """Raises RecipeError, ModelError, RunError."""
    paths, values = _parted(data)
    return _checked(
        {
            "data.paths": paths or None, "data.field": field, "data.group": group,
            "data.held_out": os.fspath(held_out) if held_out else None, "data.record": record, "data.on_bad": on_bad,
            "modality": None if modality == "auto" else modality,
            "tokenizer.path": os.fspath(tokenizer) if tokenizer else None, "tokenizer.extend": extend_vocab,
            "init": os.fspath(init) if init else None, "train.device": device,
        },
        settings,
        length,
        values,
    )  # fmt: skip


def _parted(data: Data | None) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """The paths of what was given; or what stands for them, and the values."""
    if data is None or isinstance(data, (str, os.PathLike)):
        return () if data is None else (os.fspath(data),), ()
    if hasattr(data, "to_parquet"):
        raise RecipeError(f"data: a {type(data).__name__} in memory; save it (`to_parquet`), and name the file")
    if isinstance(data, np.ndarray) and data.ndim < 4 and data.dtype != object:
        raise RecipeError(
            f"data: an array of the shape {data.shape} is one picture, or many grey ones; give a list of pictures, or"
            " (N, rows, columns, channels)"
        )
    items = tuple(data) if isinstance(data, Iterable) else (data,)
    if not items:
        raise RecipeError("data: there is nothing in it; give paths, or pictures")
    paths = tuple(os.fspath(item) for item in items if isinstance(item, (str, os.PathLike)))
    for number, item in enumerate(items):
        if isinstance(item, (str, os.PathLike)) != bool(paths) or not any(form.alone(item) for form in FORMS):
            wanted = "a path" if paths else "a path or a picture"
            raise RecipeError(f"data[{number}]: expected {wanted}, got {type(item).__name__}")
    return (paths, ()) if paths else ((VALUES,), items)


def _checked(options: dict[str, Any], settings: Sequence[str], length: dict[str, Any], values: tuple[Any, ...]) -> Asked:
    if sum(choice is not None for choice in length.values()) > 1:
        raise RecipeError("choose one of budget, steps and tokens")
    for name in ("steps", "tokens"):
        if length[name] is not None and length[name] < 1:
            raise RecipeError(f"--{name} {length[name]}: must be at least 1")
    if length["budget"] is not None:
        sizing.seconds(length["budget"])
    told = parsed(settings)
    if "train.device" in told and options["train.device"]:
        raise RecipeError("train.device is given twice over: leave out --device, or the setting")
    given = {key: value for key, value in (options | told).items() if value is not None}
    for name in (*(given.get("data.paths") or ()), *(value for value in given.values() if isinstance(value, str))):
        _spelled(name)
    # What a budget will choose may go with net settings that the default width doesn't go with; what a modality is told may
    # need what a checkpoint brings.
    later = {"net", *modalities.sections()}
    recipe = Recipe().with_values({k: v for k, v in given.items() if k.split(".")[0] not in later})
    words = ""
    for path in recipe.data.paths:
        if path not in ONCE and not os.path.exists(path):
            raise RunError(f"{path}: no such file or folder")
    if "modality" not in given and recipe.data.paths:
        found, why = modalities.detect(recipe.data.source(values=values))
        recipe, words = replace(recipe, modality=found.name), f"taken for {found.form.name}: {why}"
    elif "modality" not in given:  # a run is gone on with; what is given tells enough
        recipe = replace(recipe, modality=modalities.of_sections(key.split(".")[0] for key in given))
    recipe, given = _of_modality(recipe, given, modalities.modality(recipe.modality))
    torch_device(recipe.train.device)
    if "train.steps" in given:
        if any(length.values()):
            raise RecipeError("train.steps is given twice over: leave out --budget, --steps and --tokens, or the setting")
        length = length | {"steps": recipe.train.steps}
    counted = length["steps"] or length["tokens"]
    recipe = replace(recipe, budget="" if counted else length["budget"] or DEFAULT_BUDGET)
    return Asked(recipe, given, length, values, words)


def _of_modality(recipe: Recipe, given: dict[str, Any], chosen: Modality) -> tuple[Recipe, dict[str, Any]]:
    """With what its section, its masks and a checkpoint say. Raises where that doesn't go together."""
    for key in given:
        if key.split(".")[0] in modalities.sections() - {chosen.section}:
            raise RecipeError(f"{key} is not for {chosen.form.name}; leave it out")
    if recipe.init and recipe.data.paths:
        given = given | _brought(recipe.init, chosen, given)
    recipe = recipe.with_values({k: v for k, v in given.items() if k.split(".")[0] == chosen.section})
    chosen.configure(getattr(recipe, chosen.section))
    if not recipe.init:
        sizing.nets(given, NetConfig.length, chosen)  # refuses what no net could have
    recipe = replace(recipe, mask=chosen.mask).with_values({k: v for k, v in given.items() if k.startswith("mask.")})
    return recipe, given


def _spelled(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(name).decode("utf-8", "backslashreplace")
        raise RecipeError(f"{shown}: its name is not UTF-8, and can't be written down; rename it") from None


def _brought(init: str, chosen: Modality, given: dict[str, Any]) -> dict[str, Any]:
    """What the checkpoint says of the modality's section. Raises where it can't be gone on from as asked."""
    if not os.path.exists(init):
        raise RunError(f"{init}: no such file or folder")
    there = chosen.checkpoint(Path(init))
    for key in given:
        name = key.removeprefix("net.")
        if name != key and name != "length" and getattr(there, name) != given[key]:
            raise RecipeError(f"{key} = {given[key]}: the checkpoint has {getattr(there, name)}; leave it out")
    brought = {f"{chosen.section}.{name}": value for name, value in chosen.brings(Path(init)).items()}
    own = sorted(brought.keys() & given.keys())
    if own:
        raise RecipeError(f"--init brings its own {chosen.section}; leave {OPTIONS.get(own[0], own[0])} out")
    return brought


def on_this_machine(config: TrainConfig, here: int = 1) -> tuple[TrainConfig, str]:
    """With what the machine decides where the user did not, `here` processes sharing it; and a word, where it lacks
    something."""
    place, words = torch_device(config.device), ""
    kernels = config.kernels
    if kernels == "auto":
        found, said = native.found(place)
        kernels = "native" if found else "torch"
        if not found:
            words = f"{said}: training does without them, and takes half as long again"
    dtype = str(fast_dtype(place)).removeprefix("torch.") if config.dtype == "auto" else config.dtype
    threads = config.threads or max(resources.cores() // here, 1)
    return replace(config, device=place.type, dtype=dtype, threads=threads, kernels=kernels), words
