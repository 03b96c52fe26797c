"""Weights in other libraries' names: which config and which parameter of ours is which of theirs.

In: a checkpoint's config.json and tensors (of the families in `bert.py` and `vit.py`, with or without their prediction
head). Out: our `NetConfig` and parameters; and back. What a family can do and our encoder can't is refused by name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from maskwright.errors import ModelError, RecipeError
from maskwright.nets.checkpoints.bert import BERT_FAMILIES
from maskwright.nets.checkpoints.family import Family, Json, of_shape
from maskwright.nets.checkpoints.vit import VIT_FAMILIES
from maskwright.nets.encoder import NetConfig

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
OWN = "maskwright"
"""The model_type of a net that no other library has: its config.json holds the shape itself, its parameters have our
names."""
FAMILIES = {family.name: family for family in (*BERT_FAMILIES, *VIT_FAMILIES)}


class Foreign(ModelError):
    """A checkpoint of a family that was not asked for."""

    def __init__(self, kind: Any, known: Sequence[Family], where: object = "") -> None:
        names = ", ".join(family.name for family in known) or OWN
        super().__init__(f"model_type {kind!r} is none of {names}", where=where)
        self.kind, self.known = kind, tuple(known)


def from_config(theirs: Json, known: Sequence[Family]) -> NetConfig:
    """Our shape of a config.json of one of these families."""
    kind = theirs.get("model_type")
    family = next((family for family in known if family.name == kind), None)
    if family is None and kind != OWN:
        raise Foreign(kind, known)
    try:
        made = NetConfig(**(family.shape(theirs) if family else theirs["net"]))
    except (KeyError, TypeError) as error:
        raise ModelError(f"its config.json says nothing of {error}") from None
    if family:
        of_shape(made, known)  # what is trained from it is written for others again
    return made


# Parameters


def to_theirs(ours: Mapping[str, Tensor], config: NetConfig) -> dict[str, Tensor]:
    family = of_shape(config, FAMILIES.values())
    pairs = [(_pattern(own), their) for own, their in family.names]
    out: dict[str, Tensor] = {}
    for name, tensor in ours.items():
        parts = {name: tensor}
        if family.separate and ".attn.Wqkv." in name:
            kinds = zip("qkv", tensor.chunk(3), strict=True)
            parts = {name.replace("Wqkv", f"W{kind}"): part.contiguous() for kind, part in kinds}
        for own, part in parts.items():
            renamed = _renamed(own, pairs)
            if renamed is None:
                raise ModelError(f"a parameter that {family.name} doesn't have: {own}")
            out[renamed] = part
    return out


def from_theirs(theirs: Mapping[str, Tensor], config: NetConfig) -> dict[str, Tensor]:
    """Our parameters; those of the prediction head are missing where theirs has none."""
    family = of_shape(config, FAMILIES.values())
    pairs = [(_pattern(their), own) for own, their in family.names]
    headless = not any(name.startswith(family.prefix) for name in theirs)
    out: dict[str, Tensor] = {}
    for given, tensor in theirs.items():
        name = family.prefix + given if headless else given
        for spelled, usual in family.spellings:
            name = re.sub(spelled, usual, name)
        if name.startswith(family.ignored):
            continue
        renamed = _renamed(name, pairs)
        if renamed is None:
            raise ModelError(f"a parameter that {family.name} as we know it doesn't have", where=given)
        out[renamed] = tensor
    if family.separate:
        for name in [n for n in out if ".attn.Wq." in n]:
            three = [out.pop(name.replace(".Wq.", f".W{kind}.")) for kind in "qkv"]
            out[name.replace(".Wq.", ".Wqkv.")] = torch.cat(three)
    return out


def _pattern(beginning: str) -> re.Pattern[str]:
    return re.compile(re.escape(beginning).replace(re.escape("{n}"), r"(\d+)"))


def _renamed(name: str, pairs: list[tuple[re.Pattern[str], str]]) -> str | None:
    for pattern, to in pairs:
        match = pattern.match(name)
        if match:
            return (to.replace("{n}", match[1]) if match.groups() else to) + name[match.end() :]
    return None


# Folders


def read_config(folder: Path, known: Sequence[Family]) -> tuple[NetConfig, Json]:
    """Our shape of a checkpoint, and its config.json. Raises ModelError."""
    try:
        theirs = _json(folder / "config.json")
        return from_config(theirs, known), theirs
    except FileNotFoundError:
        names = ", ".join(family.name for family in known)
        raise ModelError("no config.json", where=folder, fix=f"name the folder of a {names} checkpoint") from None
    except Foreign as error:
        raise Foreign(error.kind, known, where=folder) from None
    except (ModelError, RecipeError) as error:
        raise ModelError(error.message, where=folder) from None


def read(folder: Path, known: Sequence[Family]) -> tuple[NetConfig, Json, dict[str, Tensor]]:
    """Shape, config.json and fp32 parameters of a checkpoint. Raises ModelError; a pickle is never opened."""
    config, theirs = read_config(folder, known)
    files = [folder / "model.safetensors"]
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        files = [folder / name for name in sorted(set(_json(index).get("weight_map", {}).values()))]
    elif not files[0].is_file():
        pickles = [p.name for p in folder.iterdir() if p.suffix in PICKLES]
        then = f"{pickles[0]} is a pickle, which can run anything: convert it" if pickles else ""
        raise ModelError("no model.safetensors", where=folder, fix=then)
    try:
        tensors = {name: tensor for file in files for name, tensor in load_file(file).items()}
    except (SafetensorError, OSError) as error:
        raise ModelError(f"its weights can't be read: {error}", where=folder) from None
    try:
        ours = tensors if theirs["model_type"] == OWN else from_theirs(tensors, config)
        return config, theirs, {n: t.float() for n, t in ours.items()}
    except ModelError as error:
        raise ModelError(error.message, where=folder) from None
    except KeyError as error:
        raise ModelError(f"its weights lack {error}", where=folder) from None


def adopted(net: nn.Module, weights: Mapping[str, Tensor], folder: Path) -> bool:
    """Gives a net the weights of a checkpoint; says whether they had a prediction head (and a decoder, where the net has
    one), which else stays as it was. Raises ModelError where they don't fit."""
    try:
        missing, unexpected = net.load_state_dict(weights, strict=False)
    except RuntimeError as error:  # sizes
        what = f"its weights don't fit its config.json: {str(error).splitlines()[-1].strip()}"
        raise ModelError(what, where=folder) from None
    if unexpected or any(not name.startswith(("head.", "decoder.")) for name in missing):
        what = f"its weights don't fit its config.json: {', '.join([*unexpected, *missing][:3])}"
        raise ModelError(what, where=folder)
    return not missing


def _json(path: Path) -> Json:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError):
        found = None
    if not isinstance(found, dict):
        raise ModelError("not a JSON object", where=path.name, fix="take the folder from its origin again")
    return found
