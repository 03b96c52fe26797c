"""Writes docs/reference/cli.md from the commands' own help, and docs/reference/python.md from docstrings. A test fails when
one is stale; `make docs` mends them.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

REFERENCE = Path(__file__).parent / "reference"
CLI = """# The command line

Made by `make docs` from the commands' own help. stdout carries results, stderr words; `--json` is one object a line; `-` is
standard input. Exit codes: 0; 2 your input (the last line says what, where and what to do; `--debug` shows more); 130
stopped by you.
"""
PYTHON = """# Python

Made by `make docs` from docstrings. `import maskwright as mw` has what the first section lists; the others are for those who
read answers field by field, handle errors, or bring a kind of data of their own ([how](../extending.md)).
"""
SECTIONS: list[tuple[str, str, list[str]]] = [
    ("The surface", "maskwright", ["train", "plan", "load"]),
    ("A model", "maskwright.model.model", ["Model"]),
    ("Answers", "maskwright.model.results", ["Filling", "Filled", "Slot", "Score"]),
    ("What a model says of itself", "maskwright.model.about", ["About", "HeldOutFigures", "TrainingFacts", "DataFacts"]),
    ("Progress", "maskwright.system.progress", ["Progress"]),
    ("Errors", "maskwright.errors", ["MaskwrightError", "DataError", "QueryError", "RecipeError", "ModelError", "RunError",
                                     "Interrupted", "MaskwrightWarning", "option", "spelled"]),
    ("Images", "maskwright.modalities.image.pixels", ["Image"]),
    ("Another kind of data", "maskwright.modalities.base", ["Descriptor", "Claim", "Modality", "Query", "TokenColumns",
                                                           "Baseline", "ModalityConfig", "Pooling"]),
    ("Its values", "maskwright.records.value_type", ["ValueType", "Display"]),
    ("Whether it keeps the contract", "maskwright.testing", ["Example", "check_modality"]),
]  # fmt: skip


def _help(*arguments: str) -> str:
    command = [sys.executable, "-m", "maskwright", *arguments, "--help"]
    environment = os.environ | {"COLUMNS": "110", "TERMINAL_WIDTH": "110", "NO_COLOR": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


def cli() -> str:
    """Every command's help."""
    root = _help()
    commands = re.findall(r"^  ([a-z]+)  ", root.split("Commands:")[1], flags=re.M)
    parts = [CLI, f"\n```text\n{root}\n```\n"]
    parts += [f"\n## {name}\n\n```text\n{_help(name)}\n```\n" for name in commands]
    return "".join(parts)


def python() -> str:
    """Every public name: its signature, its fields, its docstring, and its methods."""
    parts = [PYTHON]
    for title, module, names in SECTIONS:
        parts.append(f"\n## {title}: `{module}`\n")
        for name in names:
            parts += _entry(name, getattr(importlib.import_module(module), name), "###")
    return "".join(parts)


def _entry(name: str, what: Any, heading: str) -> Iterator[str]:
    shown = "" if inspect.isclass(what) and not is_dataclass(what) else _signature(what)
    yield f"\n{heading} {name}\n"
    if shown:
        yield f"\n```python\n{name}{shown}\n```\n"
    if doc := inspect.getdoc(what):
        yield f"\n{doc}\n"
    if inspect.isclass(what):
        if is_dataclass(what):
            yield from _fields(what)
        for own, member in vars(what).items():
            made = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
            if not own.startswith("_") and isinstance(made, FunctionType) and made.__doc__:
                kind = "" if isinstance(member, property) else _signature(made)
                yield f"\n**`{own}{kind}`** {inspect.cleandoc(made.__doc__)}\n"


def _fields(what: type) -> Iterator[str]:
    """The strings below a dataclass's fields, which say what each is."""
    source = inspect.getsource(what)
    found = re.findall(r'^    (\w+)(?:: [^\n]*)?\n    """(.*?)"""', source, flags=re.M | re.S)
    lines = [f"- `{name}`: {' '.join(words.split())}" for name, words in found if not name.startswith("_")]
    if lines:
        yield "\n" + "\n".join(lines) + "\n"


def _signature(what: Any) -> str:
    """Without `self`, without types that need a module to be read."""
    try:
        signature = inspect.signature(what)
    except (TypeError, ValueError):
        return ""
    kept = [p.replace(annotation=inspect.Parameter.empty) for n, p in signature.parameters.items() if n != "self"]
    return re.sub(r"<[^>]*>", "…", str(signature.replace(parameters=kept, return_annotation=inspect.Signature.empty)))


if __name__ == "__main__":
    REFERENCE.mkdir(exist_ok=True)
    (REFERENCE / "cli.md").write_text(cli(), encoding="utf-8")
    (REFERENCE / "python.md").write_text(python(), encoding="utf-8")
