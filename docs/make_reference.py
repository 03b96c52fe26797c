"""Writes docs/reference/cli.md from the commands' own help. A test fails when it is stale; `make docs` mends it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

HEAD = """# The command line

Made by `make docs` from the commands' own help. stdout carries results, stderr words; `--json` is one object a line; `-` is
standard input. Exit codes: 0; 2 your input (the last line says what, where and what to do; `--debug` shows more); 130
stopped by you.
"""


def _help(*arguments: str) -> str:
    command = [sys.executable, "-m", "maskwright", *arguments, "--help"]
    environment = os.environ | {"COLUMNS": "110", "TERMINAL_WIDTH": "110", "NO_COLOR": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


def reference() -> str:
    root = _help()
    commands = re.findall(r"^  ([a-z]+)  ", root.split("Commands:")[1], flags=re.M)
    parts = [HEAD, f"\n```text\n{root}\n```\n"]
    parts += [f"\n## {name}\n\n```text\n{_help(name)}\n```\n" for name in commands]
    return "".join(parts)


if __name__ == "__main__":
    path = Path(__file__).parent / "reference" / "cli.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text(reference(), encoding="utf-8")
