"""Runs the Python blocks of docs/tutorial.md in order, in a folder of their own, and writes what each printed below it.

python docs/run_tutorial.py
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "tutorial.md"
_BLOCK = re.compile(r"```python\n(.*?)```\n\n```text\n(.*?)```", re.S)


def blocks() -> list[tuple[str, str]]:
    """(code, what it printed when it was last run)."""
    return _BLOCK.findall(PAGE.read_text(encoding="utf-8"))


def outputs() -> list[str]:
    """What each block prints now."""
    names: dict[str, Any] = {}
    found = []
    with tempfile.TemporaryDirectory() as home:
        os.symlink(ROOT / "docs", Path(home) / "docs")
        with contextlib.chdir(home):
            for code, _ in blocks():
                printed = io.StringIO()
                with contextlib.redirect_stdout(printed):
                    exec(compile(code, str(PAGE), "exec"), names)
                found.append(printed.getvalue())
    return found


if __name__ == "__main__":
    new = iter(outputs())
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(_BLOCK.sub(lambda m: f"```python\n{m[1]}```\n\n```text\n{next(new)}```", page), encoding="utf-8")
