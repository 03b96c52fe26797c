"""A model folder, written and read: the weights in names that other tools know, and `maskwright.json` beside them.

In: a net, its modality, facts about the run. Out: files, each replaced by a rename, `maskwright.json` last, with the
hashes of the others; and back. Safetensors and JSON only: a pickle is neither written nor read, and a mixture of two
versions is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from maskwright import __version__, modalities
from maskwright.errors import DataError, ModelError
from maskwright.modalities.base import Modality
from maskwright.nets.checkpoints import convert
from maskwright.nets.encoder import NetConfig
from maskwright.nets.masked import MaskedNet
from maskwright.system.atomic_files import write_whole

FORMAT = 1
ABOUT = "maskwright.json"


def build(modality: Modality, config: NetConfig) -> MaskedNet:
    """A fresh net for a modality whose vocabulary is known."""
    inputs = modality.input(config)
    return MaskedNet(config, inputs, modality.head(config.decoder or config, inputs))


def write(
    folder: Path, net: NetConfig, weights: Mapping[str, Tensor], modality: Modality, about: dict[str, Any], card: str
) -> None:
    """Puts a whole model at the root of `folder`; `about` is what `maskwright.json` says beside hashes."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {"README.md": card.encode()}
    shared = modality.hugging_face(net)
    if shared:
        weights = convert.to_theirs(weights, net)
    own = {"config.json": {"model_type": convert.OWN, "net": asdict(net)}}
    files |= {name: _json(value) for name, value in (shared or own).items()}
    files["model.safetensors"] = save_tensors(
        {n: t.detach().cpu().contiguous() for n, t in weights.items()}, {"format": "pt"}
    )
    with TemporaryDirectory(prefix=".modality-", suffix=".tmp", dir=folder) as made:
        modality.save(Path(made), net.length)
        files |= {path.name: path.read_bytes() for path in Path(made).iterdir()}
    for name, data in files.items():
        target = folder / name
        target.parent.mkdir(exist_ok=True)
        if not target.is_file() or target.read_bytes() != data:
            write_whole(target, data)
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items()) if name != "README.md"}
    whole = {"format": FORMAT, "version": __version__, "modality": modality.name, "net": asdict(net)}
    write_whole(folder / ABOUT, _json(whole | about | {"files": hashes}))


def update(folder: Path, about: dict[str, Any], card: str) -> None:
    """Changes what `maskwright.json` says, and the card; the weights stay."""
    old = read_about(folder)
    write_whole(folder / "README.md", card.encode())
    write_whole(folder / ABOUT, _json(old | about))


def read_about(folder: Path) -> dict[str, Any]:
    """What `maskwright.json` says; raises ModelError where that is no model."""
    path = folder / ABOUT
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such model folder")
    if not path.is_file():
        pickles = [p.name for p in folder.iterdir() if p.suffix in convert.PICKLES]
        if pickles:
            raise ModelError(f"{folder}: holds a pickle ({pickles[0]}), which can run anything; convert it to safetensors")
        running = (folder / "checkpoints").is_dir()
        then = "; its run has kept no weights yet: go on with `maskwright train … --resume`" if running else ""
        raise ModelError(f"{folder}: no maskwright model (no {ABOUT}){then or '; train one with `maskwright train`'}")
    try:
        about: dict[str, Any] = json.loads(path.read_text())
        made, modality, files = about["format"], about["modality"], about["files"]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        raise ModelError(f"{path}: damaged; take the folder from its origin again") from None
    if made > FORMAT or not isinstance(modality, str) or not isinstance(files, dict):
        raise ModelError(f"{path}: written by a newer maskwright ({about.get('version')}); upgrade to read it")
    return about


def read(folder: Path) -> tuple[MaskedNet, Modality, dict[str, Any]]:
    """A model, checked file by file against the hashes it was written with; or a checkpoint of others, as it stands."""
    if (folder / "config.json").is_file() and not (folder / ABOUT).is_file() and not (folder / "checkpoints").is_dir():
        return _of_others(folder)
    about = read_about(folder)
    data: dict[str, bytes] = {}
    for name, expected in about["files"].items():
        path = folder / name
        if not path.is_file():
            raise ModelError(f"{path}: missing; take the folder from its origin again")
        data[name] = path.read_bytes()
        if hashlib.sha256(data[name]).hexdigest() != expected:
            raise ModelError(
                f"{path}: damaged, cut short, or of another version than {ABOUT};"
                " take the folder from its origin again (a run that was killed: go on with --resume)"
            )
    try:
        modality = modalities.modality(about["modality"])
        modality.load(folder)
        config = NetConfig(**{f.name: about["net"][f.name] for f in fields(NetConfig)})
        net = build(modality, config)
        tensors = load_tensors(data["model.safetensors"])
        net.load_state_dict(convert.from_theirs(tensors, config) if modality.hugging_face(config) else tensors)
    except (SafetensorError, RuntimeError, KeyError, DataError) as error:
        raise ModelError(f"{folder}: its files don't fit together: {str(error).splitlines()[0]}") from None
    net.eval()
    return net, modality, about


def _of_others(folder: Path) -> tuple[MaskedNet, Modality, dict[str, Any]]:
    """A Hugging Face checkpoint: never calibrated, and its figures aren't known."""
    modality = modalities.of_checkpoint(folder)
    modality.load(folder)
    config = modality.checkpoint(folder)
    net = build(modality, config)
    if not modality.adopt(net, folder):
        raise ModelError(f"{folder}: has no prediction head; `maskwright train … --init {folder}` gives it one")
    net.eval()
    return net, modality, {"format": FORMAT, "modality": modality.name, "net": asdict(config), "files": {}}


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
