"""A minute from nothing to a model, for each kind of data: the module of a modality's name is its demo.

In: a modality's name. Out: what to print, in order, once a model is trained. Needs no network and no data of anybody's.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

from maskwright.errors import RecipeError, nearest, option
from maskwright.system.progress import Watcher


def demo(modality: str, watch: Watcher) -> list[Callable[[], None]]:
    """Trains, and returns what to print, in order. Raises RecipeError where there is no such demo."""
    known = [module.name for module in pkgutil.iter_modules(__path__)]
    if modality not in known:
        what = f"there are demos of {', '.join(known)}{nearest(modality, known)}"
        raise RecipeError(what, where=option("modality", modality), option="modality")
    shown: list[Callable[[], None]] = importlib.import_module(f"{__name__}.{modality}").demo(watch)
    return shown
