"""Nothing above `modalities/` asks which modality it has."""

from __future__ import annotations

import ast
from pathlib import Path

import maskwright
from maskwright.modalities import detect

ROOT = Path(maskwright.__file__).parent
BELOW = ("modalities", "records")
"""records are told by their form before any modality is chosen"""


def test_no_code_compares_anything_with_a_modalitys_name() -> None:
    names, found = set(detect.names()), []
    for path in sorted(ROOT.rglob("*.py")):
        if path.relative_to(ROOT).parts[0] in BELOW:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            parts = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
            parts += [node.value] if isinstance(node, ast.MatchValue) else []
            constants = {c.value for part in parts for c in ast.walk(part) if isinstance(c, ast.Constant)}
            found += [f"{path.name}:{node.lineno}" for _ in constants & names]
    assert not found


def test_no_code_asks_for_the_class_of_a_modality() -> None:
    kinds = {type(detect.modality(name)).__name__ for name in detect.names()}
    for path in sorted(ROOT.rglob("*.py")):
        if path.relative_to(ROOT).parts[0] not in BELOW:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            taken = [a.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names
                     if (n.module or "").startswith("maskwright.modalities")]  # fmt: skip
            assert not kinds & set(taken), path
