"""What a model's folder says of itself: `maskwright.json`, and whether the other files are those it was written with.

In: a folder. Out: an `About`: the modality, the net's shape, figures, data, calibration, hashes. Cards, gates, reports and
servers read it. Imports without torch: nothing of the model itself is loaded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from maskwright.errors import ModelError, option
from maskwright.model.calibration import Calibration
from maskwright.system.atomic_files import write_whole

FORMAT = 1
ABOUT = "maskwright.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
AGAIN = "take the folder from its origin again"


@dataclass(frozen=True, kw_only=True)
class HeldOutFigures:
    """What a net did on held-out data, always 15% of the tokens at random."""

    nats: float
    """Mean negative log-likelihood of the tokens asked for, in nats per token."""
    bits_per_byte: float
    top1: float
    """Share of the tokens asked for whose likeliest value is the true one."""
    top5: float
    """Share of the tokens asked for whose true value is among the five likeliest."""
    floor_frequency: float | None = None
    """Bits per byte that counting frequencies needs on the same positions; None: nothing was counted."""
    floor_neighbours: float | None = None
    """Bits per byte that counting what stands between neighbours needs on the same positions; None: nothing was counted."""

    @property
    def below_counting(self) -> float | None:
        """Share of counting's bits that the net saves; negative where counting is better; None where nothing was counted."""
        floor = self.floor_neighbours
        return None if floor is None else (floor - self.bits_per_byte) / floor


@dataclass(frozen=True, kw_only=True)
class TrainingFacts:
    """How long a run was."""

    step: int
    """Training step whose weights are kept."""
    steps: int
    seconds: float
    """Wall time in seconds from the start of the command."""
    tokens: int
    """Number of tokens that were trained on, repeats included."""
    budget: str
    """Time budget as asked for, such as "10m"; empty where steps or tokens were given."""
    epochs: float
    """Number of times that the training data was seen; it may be a fraction."""


@dataclass(frozen=True, kw_only=True)
class DataFacts:
    """What a run learned from."""

    paths: list[str]
    records: int
    bytes: int
    duplicates: int
    """Number of records that were left out because they repeat others."""
    held_out_records: int
    own_held_out: bool
    """Whether the user supplied the held-out data."""
    parted: bool
    """Whether different held-out records chose the weights, fitted the calibration and set the levels of conformal sets."""
    stretched: bool
    """Whether records were few and large, so that stretches of them are held out instead of whole ones."""


@dataclass(frozen=True, kw_only=True)
class About:
    """All of it. Of a checkpoint of another library only the first few fields are known."""

    modality: str
    net: dict[str, Any]
    """Fields of the `nets.encoder.NetConfig` that describes the net."""
    lists_values: bool = True
    """Whether the values that may stand at a blank can be listed, for some kind of value at least."""
    finished: bool = False
    held_out: HeldOutFigures | None = None
    trained: TrainingFacts | None = None
    data: DataFacts | None = None
    calibration: Calibration | None = None
    files: dict[str, str] = field(default_factory=dict)
    """SHA-256 of every other file in the folder but the card, by file name."""
    version: str = ""
    """Version of maskwright that wrote the file."""
    format: int = FORMAT

    def to_json(self) -> bytes:
        """As the file holds it."""
        return (json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n").encode()


def write_about(folder: Path, about: About) -> None:
    """Replaces the file in one rename: the last step of writing a folder."""
    write_whole(folder / ABOUT, about.to_json())


def read_about(folder: Path) -> About:
    """What `maskwright.json` says. Raises ModelError where that is no model, or one of another version."""
    path = folder / ABOUT
    if not folder.is_dir():
        raise ModelError("no such model folder", where=folder)
    if not path.is_file():
        raise _no_model(folder)
    try:
        said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        made = said["format"]
        if made == FORMAT:
            return _parsed(said)
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        raise ModelError("damaged", where=path, fix=AGAIN) from None
    raise ModelError(f"written by a newer maskwright ({said.get('version')})", where=path, fix="upgrade to read it")


def verified_files(folder: Path, about: About) -> dict[str, bytes]:
    """The content of every file that the folder was written with, by name. Raises ModelError where one is missing, damaged
    or of another version than `maskwright.json`."""
    data: dict[str, bytes] = {}
    for name, expected in about.files.items():
        path = folder / name
        if not path.is_file():
            raise ModelError("missing", where=path, fix=AGAIN)
        data[name] = path.read_bytes()
        if hashlib.sha256(data[name]).hexdigest() != expected:
            fix = f"{AGAIN} (a run that was killed: go on with {option('resume', True)})"
            raise ModelError(f"damaged, cut short, or of another version than {ABOUT}", where=path, fix=fix)
    return data


def _parsed(said: Mapping[str, Any]) -> About:
    parts: dict[str, Any] = dict(said)
    for name, kind in (("held_out", HeldOutFigures), ("trained", TrainingFacts), ("data", DataFacts)):
        parts[name] = None if said[name] is None else kind(**said[name])
    parts["calibration"] = None if said["calibration"] is None else Calibration.from_json(said["calibration"])
    unknown = parts.keys() - {f.name for f in fields(About)}
    if unknown or not isinstance(said["modality"], str) or not isinstance(said["files"], dict):
        raise TypeError
    return About(**parts)


def _no_model(folder: Path) -> ModelError:
    pickles = [p.name for p in folder.iterdir() if p.suffix in PICKLES]
    if pickles:
        what = f"holds a pickle ({pickles[0]}), which can run anything"
        return ModelError(what, where=folder, fix="convert it to safetensors")
    what = f"no maskwright model (no {ABOUT})"
    if (folder / "checkpoints").is_dir():
        fix = f"its run has kept no weights yet: go on with `maskwright train … {option('resume', True)}`"
        return ModelError(what, where=folder, fix=fix)
    return ModelError(what, where=folder, fix="train one with `maskwright train`")
