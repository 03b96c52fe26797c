"""Every choice of a run in one tree, and as TOML.

In: the configurations that stand beside what they configure. Out: a `Recipe`, changed by settings (`train.lr=3e-4`),
written and read. Knows nothing of how choices are made (`sizing.py`) or used.
"""

from __future__ import annotations

import ast
import inspect
import json
import math
import textwrap
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from maskwright.errors import DataError, RecipeError, nearest, option
from maskwright.modalities import detect
from maskwright.modalities.base import ModalityConfig
from maskwright.model.calibration import CalibrationConfig
from maskwright.nets.encoder import NetConfig
from maskwright.records.notices import Listener, unheard
from maskwright.records.read import Source
from maskwright.records.table import Layout, Table
from maskwright.records.value_type import ValueType
from maskwright.system.atomic_files import write_whole
from maskwright.tokens.masking import MaskConfig
from maskwright.training.schedule import TrainConfig


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    paths: tuple[str, ...] = ()
    field: str = ""
    """Column of a table that holds the records; empty: the only one that can."""
    group: str = ""
    """Column of a table whose equal values stay on one side of the held-out split; empty: none."""
    record: str = ""
    """What one record of plain text is: line, paragraph or file; empty: what the format suggests."""
    separator: str = ""
    """Character between the cells of a table of text, or tab; empty: the first lines tell."""
    header: str = ""
    """Whether the first row of a table of text has the columns' names: yes or no; empty: the first lines tell."""
    quote: str = ""
    """Whether table cells may be in quotes: "none" where they never are; empty: the first lines tell."""
    encoding: str = ""
    """Encoding of text that has no byte order mark; empty: UTF-8, or what the first bytes tell."""
    held_out: str = ""
    """Path of the user's own held-out data; empty: a share of the data is held out."""
    on_bad: str = "stop"
    """What happens at a record that can't be read: stop, or skip it."""

    @property
    def layout(self) -> Layout:
        """What is said of tables of text. Raises RecipeError."""
        if self.header not in ("", "yes", "no"):
            raise RecipeError(f"data.header = {self.header!r}: write yes or no", option="data.header")
        header = None if not self.header else self.header == "yes"
        return Layout(self.separator or None, header, self.quote or None, self.encoding or None).checked()

    def source(
        self,
        value_type: ValueType,
        values: Sequence[Any] | Table = (),
        on_skipped: Listener = unheard,
        on_notice: Listener = unheard,
    ) -> Source:
        """What to read, as values of that type; `values` where Python gave them instead of paths."""
        return Source(
            paths=self.paths, value_type=value_type, values=values, field=self.field or None, group=self.group or None,
            grain=self.record or None, layout=self.layout, on_bad=self.on_bad, on_skipped=on_skipped, on_notice=on_notice,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A run, as it was chosen and as it goes."""

    modality: str = ""
    """Name of the modality; empty: not chosen yet."""
    budget: str = ""
    """Time budget as asked for, such as "10m"; empty where steps or tokens were given. What came of it stands in `train`."""
    init: str = ""
    """Checkpoint to continue from: a folder of this tool's or of Hugging Face's; empty: training starts anew."""
    data: DataConfig = field(default_factory=DataConfig)
    options: ModalityConfig = field(default_factory=ModalityConfig)
    """Settings of the modality; in the file their section has the name that the modality's descriptor gives it."""
    net: NetConfig = field(default_factory=NetConfig)
    mask: MaskConfig = field(default_factory=MaskConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    calibration: CalibrationConfig = field(default_factory=CalibrationConfig)

    @classmethod
    def of_modality(cls, name: str) -> Recipe:
        """With the defaults of a modality's options."""
        return cls(modality=name, options=detect.descriptor(name).config())

    @property
    def section(self) -> str:
        """The name of its modality's section; empty where none is chosen."""
        return detect.descriptor(self.modality).key if self.modality else ""

    def __getitem__(self, key: str) -> Any:
        """The value at "train.lr", or a whole section."""
        part: Any = self
        for name in key.split("."):
            part = self.options if part is self and name == self.section else getattr(part, name)
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
        for name, new in changed.items():
            whole["options" if name == self.section else name] = replace(self[name], **new)
        return replace(self, **whole)

    def to_toml(self) -> str:
        lines = []
        sections = []
        for name, value in asdict(self).items():
            if isinstance(value, dict):
                sections.append((self.section if name == "options" else name, value))
            else:
                lines.append(f"{name} = {_toml(value)}")
        for name, values in sections:
            lines += ["", f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in values.items())]
        return "\n".join(lines) + "\n"

    def write(self, path: Path) -> None:
        write_whole(path, self.to_toml().encode())

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """The inverse of `write`. Raises RecipeError."""
        try:
            tree = tomllib.loads(path.read_text(encoding="utf-8"))
            made = cls.of_modality(tree["modality"])
            parts: dict[str, Any] = {}
            for f in fields(cls):
                value, kind = tree[made.section if f.name == "options" else f.name], type(getattr(made, f.name))
                parts[f.name] = kind(**_tuples(value)) if isinstance(value, dict) else value
            return cls(**parts)
        except FileNotFoundError:
            raise RecipeError("no recipe there", where=path) from None
        except DataError as error:
            raise RecipeError(error.message, where=path) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
            raise RecipeError(f"not a recipe that this version reads: {error}", where=path) from None


def _toml(value: Any) -> str:
    """JSON's spelling, but for the one character that TOML wants escaped and JSON leaves."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


@dataclass(frozen=True)
class Key:
    """One value of a recipe that a setting may change."""

    kind: type
    default: Any


def keys() -> dict[str, Key]:
    """Every key that settings take, of all modalities that are installed."""
    sections: dict[str, Any] = {d.key: d.config() for d in detect.descriptors().values()}
    plain = Recipe()
    sections |= {name: plain[name] for name in ("net", "mask", "train", "calibration")}
    out: dict[str, Key] = {}
    for section, part in sections.items():
        hints = get_type_hints(type(part))
        out |= {f"{section}.{f.name}": Key(hints[f.name], getattr(part, f.name)) for f in fields(part)}
    return out


def explained() -> dict[str, str]:
    """What each key means: the docstring below its field, where it has one."""
    sections: dict[str, Any] = {d.key: d.config() for d in detect.descriptors().values()}
    plain = Recipe()
    sections |= {name: plain[name] for name in ("net", "mask", "train", "calibration")}
    out: dict[str, str] = {}
    for section, part in sections.items():
        for kind in reversed(type(part).__mro__[:-1]):
            body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
            assert isinstance(body, ast.ClassDef)
            for field_, said in pairwise(body.body):
                if isinstance(field_, ast.AnnAssign) and isinstance(field_.target, ast.Name) and _is_string(said):
                    out[f"{section}.{field_.target.id}"] = inspect.cleandoc(said.value.value).replace("\n", " ")  # type: ignore[attr-defined]
    return out


def _is_string(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def parsed(settings: Sequence[str]) -> dict[str, Any]:
    """KEY=VALUE settings to keys and values of the right type."""
    known, out = keys(), {}
    for setting in settings:
        key, separator, value = (part.strip() for part in setting.partition("="))
        if not separator:
            raise RecipeError("write it as KEY=VALUE", where=option("settings", setting), option="settings")
        if key not in known:
            fix = "`maskwright list keys` shows all"
            raise RecipeError(f"no such key{nearest(key, known)}", where=option("settings", key), fix=fix, option="settings")
        out[key] = _parsed(key, value, known[key].kind)
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
        raise RecipeError(f"{key} is {what}", where=option("settings", f"{key}={value}"), option=key) from None
