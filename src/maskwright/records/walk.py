"""The files of a folder, in an order that is the same on any machine.

In: a folder. Out: paths of what a person keeps there: nothing hidden, nothing that tools made, this one's own models and
runs among it. Knows nothing of formats.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from maskwright.files import LOCK

MADE = {"__pycache__", "node_modules"}
OURS = {LOCK, "maskwright.json"}
"""files in folders of runs and of models"""


def files(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        if OURS.intersection(names) and Path(root) != folder:
            folders.clear()
            continue
        folders[:] = sorted(f for f in folders if f not in MADE and not f.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and os.path.isfile(path := os.path.join(root, name)):
                yield Path(path)
