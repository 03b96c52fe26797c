"""What is asked of a run, checked before anything is read.

In: a `TrainRequest`, the options of `train` and `plan`, None where not given. Out: a `Resolved` one: a recipe with what was
given put in, and how long the run shall be; or one error on what doesn't go together.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from maskwright.errors import RecipeError, RunError, option
from maskwright.modalities import detect
from maskwright.modalities.base import Modality
from maskwright.nets.encoder import NetConfig
from maskwright.records.python_values import cells, expanded, paths_or_texts, rows_or_values, scalar, table_in
from maskwright.records.read import VALUES, once
from maskwright.records.record import Record
from maskwright.records.table import Table
from maskwright.runs import sizing
from maskwright.runs.recipe import Recipe, parsed
from maskwright.system.device import torch_device

DEFAULT_BUDGET = "10m"
KEY_OF_OPTION = {"tokenizer": "tokenizer.path", "extend_vocab": "tokenizer.extend"}
"""Options that are short for a key of a modality's section in the recipe, each with that key."""
Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""Where data is: a file, a folder, "-" for standard input; or several of these."""
Data = Paths | Iterable[Any]
"""Data to train on: paths as in `Paths`, or the values themselves."""


@dataclass(frozen=True, kw_only=True)
class TrainRequest:
    """The options of `train`, as given; `plan` has most of them. None: not given."""

    data: Data | None = None
    out: str | os.PathLike[str] = ""
    budget: str | None = None
    steps: int | None = None
    tokens: int | None = None
    field: str | None = None
    group: str | None = None
    held_out: str | os.PathLike[str] | None = None
    record: str | None = None
    separator: str | None = None
    header: bool | None = None
    quote: str | None = None
    encoding: str | None = None
    modality: str | None = None
    tokenizer: str | os.PathLike[str] | None = None
    init: str | os.PathLike[str] | None = None
    extend_vocab: int | None = None
    resume: bool = False
    on_bad: str | None = None
    settings: Sequence[str] = ()
    device: str | None = None
    shard: bool = False

    @property
    def length(self) -> sizing.AskedLength:
        return sizing.AskedLength(budget=self.budget, steps=self.steps, tokens=self.tokens)

    @property
    def keys(self) -> dict[str, Any]:
        """The options as keys of the recipe, those alone that were given."""
        values = {
            "data.field": self.field, "data.group": self.group, "data.held_out": _path(self.held_out),
            "data.record": self.record, "data.on_bad": self.on_bad,
            "data.separator": self.separator, "data.quote": self.quote, "data.encoding": self.encoding,
            "data.header": None if self.header is None else "yes" if self.header else "no",
            "modality": None if self.modality == "auto" else self.modality,
            "init": _path(self.init), "train.device": self.device,
            KEY_OF_OPTION["tokenizer"]: _path(self.tokenizer), KEY_OF_OPTION["extend_vocab"]: self.extend_vocab,
        }  # fmt: skip
        return {key: value for key, value in values.items() if value is not None}


@dataclass(frozen=True)
class Resolved:
    """A request whose parts go together."""

    recipe: Recipe
    given: dict[str, Any]
    """Recipe keys that were given, with their values; planning leaves them as they are."""
    length: sizing.AskedLength
    values: Sequence[Any] | Table = ()
    """The data itself, where it was given as values instead of paths; otherwise empty."""
    notice: str = ""
    """Message on what kind of data was recognised, and why; empty where the user named it."""


def resolve(request: TrainRequest) -> Resolved:
    """Raises RecipeError, ModelError, RunError, DataError."""
    paths, values = _parted(request.data)
    length = request.length.checked()
    settings = parsed(request.settings)
    if "train.device" in settings and request.device:
        fix = f"leave out {option('device')}, or the setting"
        raise RecipeError("train.device is given twice over", fix=fix, option="device")
    given = ({"data.paths": paths} if paths else {}) | request.keys | settings
    for name in (*paths, *(value for value in given.values() if isinstance(value, str))):
        _check_spelling(name)
    for path in paths:
        if not once(path) and not os.path.exists(path):
            raise RunError("no such file or folder", where=path)
    notice = ""
    if "modality" not in given:
        if paths:
            seen = cells(values, request.field) if isinstance(values, Table) else values
            found, why = detect.claimed(paths, seen, request.field)
            recipe, notice = Recipe.of_modality(found.name), f"taken for {found.value_type.name}: {why}"
        else:  # a run is gone on with; what is given tells enough for it to be checked
            recipe = Recipe.of_modality(_owner(given))
    else:
        recipe = Recipe.of_modality(given["modality"])
    # What a budget will choose may go with net settings that the default width doesn't go with; what a modality is told may
    # need what a checkpoint brings.
    later = {"net", *(d.key for d in detect.descriptors().values())}
    recipe = recipe.with_values({k: v for k, v in given.items() if k.split(".")[0] not in later})
    recipe, given = _of_modality(recipe, given, detect.modality(recipe.modality))
    torch_device(recipe.train.device)
    if "train.steps" in given:
        if length.given:
            fix = f"leave out {option('budget')}, {option('steps')} and {option('tokens')}, or the setting"
            raise RecipeError("train.steps is given twice over", fix=fix, option="steps")
        length = replace(length, steps=recipe.train.steps)
    counted = length.steps or length.tokens
    recipe = replace(recipe, budget="" if counted else length.budget or DEFAULT_BUDGET)
    return Resolved(recipe, given, length, values, notice)


def _parted(data: Data | None) -> tuple[tuple[str, ...], Sequence[Any] | Table]:
    """The paths of what was given; or what stands for them, and the values, or the table that holds them."""
    data = scalar(data)
    if data is None or isinstance(data, (str, os.PathLike)):
        return () if data is None else tuple(expanded(os.fspath(data))), ()
    table = table_in(data, "data")
    if table is not None:
        return (VALUES,), table
    kinds = [d.value_type for d in detect.descriptors().values()]
    one_of = next((kind.name for kind in kinds if kind.is_one(data) and isinstance(data, Iterable)), "")
    if one_of:
        what = f"a {type(data).__name__}{_shape(data)} alone would be one record of {one_of}"
        raise RecipeError(what, where="data", fix="give a list of several", option="data")
    table, values = rows_or_values(data if isinstance(data, Iterable) else (data,), "data")
    items = tuple(values)
    if table is not None:
        return (VALUES,), table
    if not items:
        raise RecipeError("there is nothing in it", where="data", fix="give paths, or values", option="data")
    if all(isinstance(item, (str, os.PathLike)) for item in items):
        paths = paths_or_texts(items, "data")
        return (paths, ()) if paths else ((VALUES,), items)
    for number, item in enumerate(items):
        mixed = isinstance(item, (str, os.PathLike)) != isinstance(items[0], (str, os.PathLike))
        if mixed or not (isinstance(item, Record) or any(kind.is_one(item) for kind in kinds)):
            what = f"expected what data[0] is ({type(items[0]).__name__}), got {type(item).__name__}"
            fix = f"give paths, texts, dictionaries, or {' or '.join(kind.name for kind in kinds)}"
            raise RecipeError(what, where=f"data[{number}]", fix=fix, option="data")
    return (VALUES,), items


def _owner(given: Mapping[str, Any]) -> str:
    """The modality that has one of these sections of a recipe; else the first."""
    sections = {key.split(".")[0] for key in given}
    known = list(detect.descriptors().values())
    return next((d.name for d in known if d.key in sections), known[0].name)


def _shape(data: Any) -> str:
    shape = getattr(data, "shape", None)
    return "" if shape is None else f" of the shape {tuple(shape)}"


def _of_modality(recipe: Recipe, given: dict[str, Any], chosen: Modality) -> tuple[Recipe, dict[str, Any]]:
    """With what its section, its masks and a checkpoint say. Raises where that doesn't go together."""
    section, others = recipe.section, {d.key for d in detect.descriptors().values()} - {recipe.section}
    for key in given:
        if key.split(".")[0] in others:
            raise RecipeError(f"{key} is not for {chosen.value_type.name}", fix="leave it out", option=key)
    if recipe.init and recipe.data.paths:
        given = given | _of_checkpoint(recipe.init, section, chosen, given)
    recipe = recipe.with_values({k: v for k, v in given.items() if k.split(".")[0] == section})
    for path in recipe.options.files:
        if not os.path.exists(path):
            raise RunError("no such file or folder", where=path)
    chosen.configure(recipe.options)
    if not recipe.init:
        sizing.nets(given, NetConfig.length, chosen)  # refuses what no net could have
    recipe = replace(recipe, mask=chosen.mask).with_values({k: v for k, v in given.items() if k.startswith("mask.")})
    return recipe, given


def _of_checkpoint(init: str, section: str, chosen: Modality, given: dict[str, Any]) -> dict[str, Any]:
    """What the checkpoint says of the modality's section. Raises where it can't be gone on from as asked."""
    if not os.path.exists(init):
        raise RunError("no such file or folder", where=init, option="init")
    there = chosen.checkpoints.net_config(Path(init))
    for key in given:
        name = key.removeprefix("net.")
        if name != key and name != "length" and getattr(there, name) != given[key]:
            what = f"{key} = {given[key]}: the checkpoint has {getattr(there, name)}"
            raise RecipeError(what, fix="leave it out", option=key)
    brought = {f"{section}.{name}": value for name, value in chosen.checkpoints.checkpoint_config(Path(init)).items()}
    own = sorted(brought.keys() & given.keys())
    if own:
        options = {key: option(name) for name, key in KEY_OF_OPTION.items()}
        what, fix = f"{option('init')} brings its own {section}", f"leave {options.get(own[0], own[0])} out"
        raise RecipeError(what, fix=fix, option=own[0])
    return brought


def _path(given: str | os.PathLike[str] | None) -> str | None:
    return os.fspath(given) if given else None


def _check_spelling(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(name).decode("utf-8", "backslashreplace")
        raise RecipeError("its name is not UTF-8, and can't be written down", where=shown, fix="rename it") from None
