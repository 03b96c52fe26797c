"""Runs the Python blocks of a tutorial in order, in a folder of their own, and writes what each printed below it.

python docs/run_tutorial.py [docs/tutorial.md]
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "docs" / name for name in ("tutorial.md", "tutorial-pictures.md")]
_BLOCK = re.compile(r"```python\n(.*?)```\n\n```text\n(.*?)```", re.S)


def blocks(page: Path) -> list[tuple[str, str]]:
    """(code, what it printed when it was last run)."""
    return _BLOCK.findall(page.read_text(encoding="utf-8"))


def outputs(page: Path) -> list[str]:
    """What each block prints now."""
    names: dict[str, Any] = {}
    found = []
    with tempfile.TemporaryDirectory() as home:
        os.symlink(ROOT / "docs", Path(home) / "docs")
        with contextlib.chdir(home):
            for code, _ in blocks(page):
                printed = io.StringIO()
                with contextlib.redirect_stdout(printed):
                    exec(compile(code, str(page), "exec"), names)
                found.append(printed.getvalue())
    return found


if __name__ == "__main__":
    page = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else PAGES[0]
    new = iter(outputs(page))
    text = page.read_text(encoding="utf-8")
    page.write_text(_BLOCK.sub(lambda m: f"```python\n{m[1]}```\n\n```text\n{next(new)}```", text), encoding="utf-8")
