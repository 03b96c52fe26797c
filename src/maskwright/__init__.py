"""maskwright: train a masked model on your own data, on the computer you have; fill, embed, score with it.

    import maskwright as mw
    model = mw.train("tickets.csv", field="text", budget="10m", out="tickets-model")
    model = mw.load("tickets-model")

Importing costs nothing: what needs torch is imported when it is first used.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from maskwright.errors import (
    DataError,
    Interrupted,
    MaskwrightError,
    ModelError,
    QueryError,
    RecipeError,
    RunError,
)

if TYPE_CHECKING:
    from maskwright.model.model import Model, load
    from maskwright.runs.plan import plan
    from maskwright.runs.train import train

# Threads that wait for each other spin for long, by default, and on a busy machine take the core that the other one needs.
# Read when torch is loaded (LOG.md#thread-spin).
os.environ.setdefault("GOMP_SPINCOUNT", "3000")

__version__ = "0.1.0"
__all__ = [
    "DataError",
    "Interrupted",
    "MaskwrightError",
    "Model",
    "ModelError",
    "QueryError",
    "RecipeError",
    "RunError",
    "__version__",
    "load",
    "plan",
    "train",
]
_LAZY = {
    "train": "maskwright.runs.train",
    "plan": "maskwright.runs.plan",
    "load": "maskwright.model.model",
    "Model": "maskwright.model.model",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'maskwright' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
