"""A run's whole state in one file, written so that a kill at any moment leaves the former one.

In: named tensors and a few facts. Out: `checkpoints/step-N.safetensors`; a temporary file, fsynced, then renamed. Two
are kept. All random numbers are drawn from (seed, step), so there is no generator to save. Never a pickle.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from maskwright.errors import RunError, option
from maskwright.system.atomic_files import write_whole
from maskwright.training.distributed import own, own_part

KEPT = 2


def write(folder: Path, step: int, tensors: dict[str, Tensor], facts: dict[str, Any]) -> Path:
    """Adds a checkpoint and drops the oldest. Raises RunError, and leaves what was there, when the disk is full."""
    path = folder / f"step-{step:09d}.safetensors"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        data = save({n: t.detach().cpu().contiguous() for n, t in tensors.items()}, metadata={"facts": json.dumps(facts)})
        write_whole(path, data)
    except OSError as error:
        fix = f"the one before it is whole: make room, then go on with {option('resume', True)}"
        raise RunError(f"can't save a checkpoint: {error.strerror}", where=path, fix=fix) from None
    for old in _all(folder)[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


def latest(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """The newest whole checkpoint: its tensors and facts; None where there is none. Raises RunError where none is whole."""
    for path in reversed(_all(folder)):
        try:
            with safe_open(path, framework="pt") as file:
                facts = json.loads((file.metadata() or {})["facts"])
                return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118 (no iterator)
        except (SafetensorError, KeyError, OSError, json.JSONDecodeError):
            continue  # damaged from outside: the one before it is as good a start
    if _all(folder):
        raise RunError("no checkpoint there can be read", where=folder, fix="remove the folder to begin again")
    return None


def _all(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.safetensors"))


def resume_or_begin() -> str:
    """How to go on where a checkpoint and a recipe don't fit."""
    return f"resume with the recipe that began the run, or train to another {option('out')}"


def load_into(live: dict[str, Tensor], saved: dict[str, Tensor], what: str) -> None:
    """Copies by name; raises RunError where names or shapes differ."""
    for name in live | saved:
        has, wants = ("x".join(map(str, side[name].shape)) if name in side else "none" for side in (saved, live))
        if has != wants:
            words = f"the checkpoint is of another architecture: {name} is {has}, the recipe makes it {wants}"
            raise RunError(words, where=what, fix=resume_or_begin())
    with torch.no_grad():
        for name, tensor in live.items():
            own(tensor).copy_(own_part(saved[name], tensor))
