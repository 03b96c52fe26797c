"""Every choice of a run in one tree, and as TOML.

In: the configurations that stand beside what they configure. Out: a `Recipe`, changed by `--set train.lr=3e-4`, written
and read. Knows nothing of how choices are made (`sizing.py`) or used.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from maskwright.errors import RecipeError, nearest
from maskwright.modalities import ImageConfig, TokenizerConfig
from maskwright.model.calibration import CalibrationConfig
from maskwright.nets.encoder import NetConfig
from maskwright.records.read import Source
from maskwright.system.atomic_files import write_whole
from maskwright.tokens.masking import MaskConfig
from maskwright.training.schedule import TrainConfig


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    paths: tuple[str, ...] = ()
    field: str = ""
    group: str = ""
    record: str = ""
    """line, paragraph or file; empty: what the format suggests"""
    held_out: str = ""
    """the user's own held-out data"""
    on_bad: str = "stop"

    def source(self, report: Callable[[str], None] | None = None, values: Sequence[Any] = ()) -> Source:
        """What to read; `report` hears of what is skipped; `values` where Python gave them instead of paths."""
        return Source(
            paths=self.paths, field=self.field or None, group=self.group or None, grain=self.record or None,
            on_bad=self.on_bad, report=report, values=values,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Recipe:
    modality: str = "text"
    budget: str = ""
    """as asked; what came of it stands in `train`"""
    init: str = ""
    """a checkpoint to go on from: a folder of this tool's or of Hugging Face's"""
    data: DataConfig = field(default_factory=DataConfig)
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    image: ImageConfig = field(default_factory=ImageConfig)
    net: NetConfig = field(default_factory=NetConfig)
    mask: MaskConfig = field(default_factory=MaskConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    calibration: CalibrationConfig = field(default_factory=CalibrationConfig)

    def __getitem__(self, key: str) -> Any:
        """The value at "train.lr"."""
        part: Any = self
        for name in key.split("."):
            part = getattr(part, name)
        return part

    def with_values(self, values: Mapping[str, Any]) -> Recipe:
        """With {"train.lr": 3e-4, ...} put in, all at once."""
        whole: dict[str, Any] = {}
        changed: dict[str, dict[str, Any]] = {}
        for key, value in values.items():
            section, _, name = key.rpartition(".")
            if section:
                changed.setdefault(section, {})[name] = value
            else:
                whole[name] = value
        return replace(self, **whole, **{name: replace(self[name], **new) for name, new in changed.items()})

    def to_toml(self) -> str:
        lines = []
        sections = []
        for name, value in asdict(self).items():
            if isinstance(value, dict):
                sections.append((name, value))
            else:
                lines.append(f"{name} = {_toml(value)}")
        for name, values in sections:
            lines += ["", f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in values.items())]
        return "\n".join(lines) + "\n"

    def write(self, path: Path) -> None:
        write_whole(path, self.to_toml().encode())

    @classmethod
    def read(cls, path: Path) -> Recipe:
        try:
            tree = tomllib.loads(path.read_text(encoding="utf-8"))
            parts: dict[str, Any] = {}
            for f in fields(cls):
                value = tree[f.name]
                kind = type(getattr(cls(), f.name))
                parts[f.name] = kind(**_tuples(value)) if isinstance(value, dict) else value
            return cls(**parts)
        except FileNotFoundError:
            raise RecipeError(f"{path}: no recipe there") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
            raise RecipeError(f"{path}: not a recipe that this version reads: {error}") from None


def _toml(value: Any) -> str:
    """JSON's spelling, but for the one character that TOML wants escaped and JSON leaves."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def keys() -> dict[str, type]:
    """Every key that --set takes, and its type."""
    out: dict[str, type] = {}
    for section in fields(Recipe):
        part = getattr(Recipe(), section.name)
        if not isinstance(part, str) and section.name != "data":
            hints = get_type_hints(type(part))
            out |= {f"{section.name}.{f.name}": hints[f.name] for f in fields(part)}
    return out


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def parsed(settings: Sequence[str]) -> dict[str, Any]:
    """KEY=VALUE settings to keys and values of the right type."""
    kinds, out = keys(), {}
    for setting in settings:
        key, separator, value = (part.strip() for part in setting.partition("="))
        if not separator:
            raise RecipeError(f"--set {setting}: write it as KEY=VALUE")
        if key not in kinds:
            raise RecipeError(f"--set {key}: no such key{nearest(key, kinds)}; `maskwright list keys` shows all")
        out[key] = _parsed(key, value, kinds[key])
    return out


def _parsed(key: str, value: str, kind: type) -> Any:
    try:
        if kind is int:
            number = float(value)
            if number != int(number):
                raise ValueError
            return int(number)
        if kind is bool:
            return {"true": True, "false": False}[value.lower()]
        if get_origin(kind) is tuple:
            return tuple(float(part) for part in value.strip("()[] ").split(",") if part.strip())
        made = kind(value)
        if kind is float and not math.isfinite(made):
            raise ValueError
        return made
    except (ValueError, OverflowError, KeyError):
        names = {int: "a whole number", float: "a number", bool: "true or false"}
        what = "numbers with commas between them" if get_origin(kind) is tuple else names.get(kind, "text")
        raise RecipeError(f"--set {key}={value}: {key} is {what}") from None
