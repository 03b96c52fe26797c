"""A model folder, written and read: the weights in names that other tools know, and `maskwright.json` beside them.

In: a net's shape and weights, its modality, facts about the run. Out: files, each replaced by a rename, `maskwright.json`
last, with the hashes of the others; and back. Safetensors and JSON only: a pickle is neither written nor read, and a mixture
of two versions is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from maskwright.errors import DataError, ModelError, option
from maskwright.modalities import detect
from maskwright.modalities.base import Modality
from maskwright.model.about import ABOUT, About, read_about, verified_files, write_about
from maskwright.nets.checkpoints import convert
from maskwright.nets.encoder import NetConfig
from maskwright.nets.masked import MaskedNet
from maskwright.system.atomic_files import write_whole


def build(modality: Modality, config: NetConfig) -> MaskedNet:
    """A fresh net for a modality whose vocabulary is known."""
    inputs = modality.input(config)
    return MaskedNet(config, inputs, modality.head(config.decoder or config, inputs))


def write(
    folder: Path, config: NetConfig, weights: Mapping[str, Tensor], modality: Modality, about: About, card: str
) -> None:
    """Puts a whole model at the root of `folder`; of `about`, hashes and version are filled in here."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {"README.md": card.encode()}
    shared = modality.checkpoints.files(config)
    if shared:
        weights = convert.to_theirs(weights, config)
    own = {"config.json": {"model_type": convert.OWN, "net": asdict(config)}}
    files |= {name: _json(value) for name, value in (shared or own).items()}
    files["model.safetensors"] = save_tensors(
        {n: t.detach().cpu().contiguous() for n, t in weights.items()}, {"format": "pt"}
    )
    with TemporaryDirectory(prefix=".modality-", suffix=".tmp", dir=folder) as made:
        modality.save(Path(made), config.length)
        files |= {path.name: path.read_bytes() for path in Path(made).iterdir()}
    for name, data in files.items():
        target = folder / name
        target.parent.mkdir(exist_ok=True)
        if not target.is_file() or target.read_bytes() != data:
            write_whole(target, data)
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items()) if name != "README.md"}
    write_about(folder, replace(about, files=hashes, version=version("maskwright")))


def update(folder: Path, about: About, card: str) -> None:
    """Changes what `maskwright.json` says, and the card; the weights, and their hashes, stay."""
    old = read_about(folder)
    write_whole(folder / "README.md", card.encode())
    write_about(folder, replace(about, files=old.files, version=old.version))


def read(folder: Path) -> tuple[MaskedNet, Modality, About]:
    """A model, checked file by file against the hashes it was written with; or a checkpoint of another library, as it
    stands. Raises ModelError."""
    if (folder / "config.json").is_file() and not (folder / ABOUT).is_file() and not (folder / "checkpoints").is_dir():
        return _of_others(folder)
    about = read_about(folder)
    data = verified_files(folder, about)
    modality = _modality(folder, about.modality)
    try:
        modality.load(folder)
        config = NetConfig(**{f.name: about.net[f.name] for f in fields(NetConfig)})
        net = build(modality, config)
        tensors = load_tensors(data["model.safetensors"])
        net.load_state_dict(convert.from_theirs(tensors, config) if modality.checkpoints.files(config) else tensors)
    except (SafetensorError, RuntimeError, KeyError, DataError) as error:
        raise ModelError(f"its files don't fit together: {str(error).splitlines()[0]}", where=folder) from None
    net.eval()
    return net, modality, about


def _modality(folder: Path, name: str) -> Modality:
    try:
        return detect.modality(name)
    except DataError as error:
        fix = "install the package that brings it"
        raise ModelError(
            f"a model of {error.what.removeprefix('no ')} that is not installed", where=folder, fix=fix
        ) from None


def _of_others(folder: Path) -> tuple[MaskedNet, Modality, About]:
    """Another library's checkpoint: never calibrated, and its figures aren't known."""
    modality = detect.of_checkpoint(folder)
    modality.load(folder)
    config = modality.checkpoints.net_config(folder)
    net = build(modality, config)
    if not modality.checkpoints.adopt(net, folder):
        fix = f"`maskwright train … {option('init', folder)}` gives it one"
        raise ModelError("has no prediction head", where=folder, fix=fix)
    net.eval()
    return net, modality, About(modality=modality.name, net=asdict(config), lists_values=net.lists_values)


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
