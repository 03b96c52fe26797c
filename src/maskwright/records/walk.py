"""The files of a folder, in an order that is the same on any machine.

In: a folder. Out: paths of what a person keeps there, in folders that links lead to as well: nothing hidden, nothing that
tools made, this one's own models and runs among it. A link that leads nowhere is given out too: whoever opens it says so.
Knows nothing of formats.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from maskwright.errors import DataError
from maskwright.system.atomic_files import LOCK

MADE = {"__pycache__", "node_modules"}
OURS = {LOCK, "maskwright.json"}
"""Names of files by which folders of runs and of models are recognised."""


def files(folder: Path) -> Iterator[Path]:
    """Raises DataError for a folder in it that can't be read."""
    seen: set[str] = set()
    for root, folders, names in os.walk(folder, followlinks=True, onerror=_unread):
        real = os.path.realpath(root)
        if real in seen:  # links may lead to one folder twice, or up to one that they lie in
            folders.clear()
            continue
        seen.add(real)
        if OURS.intersection(names) and Path(root) != folder:
            folders.clear()
            continue
        folders[:] = sorted(f for f in folders if f not in MADE and not f.startswith("."))
        for name in sorted(names):
            path = Path(root, name)
            if not name.startswith(".") and (path.is_file() or (path.is_symlink() and not path.exists())):
                yield path


def _unread(error: OSError) -> None:
    raise DataError(str(error.strerror), where=error.filename, fix="make it readable, or leave it out")
