"""The registry: which modalities are installed, and whose some data is.

In: entry points of the group `maskwright.modalities`, ours among them; paths or values. Out: descriptors, and modalities
made from them. Names none of them, and imports without torch.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from maskwright.errors import DataError, MaskwrightWarning, nearest
from maskwright.modalities.base import Claim, Descriptor, Modality
from maskwright.records import walk
from maskwright.records.columnar import is_saved_dataset

GROUP = "maskwright.modalities"


@lru_cache
def descriptors() -> dict[str, Descriptor]:
    """All that are installed, by name, sorted. One that can't be imported is left out, with a warning."""
    found: dict[str, Descriptor] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            descriptor = entry.load()
        except Exception as error:  # somebody else's package: whatever is wrong there must not stop the others
            said = (str(error).splitlines() or [type(error).__name__])[0]
            words = f"the modality {entry.name!r} ({entry.value}) can't be loaded, and is left out: {said}"
            warnings.warn(words, MaskwrightWarning, stacklevel=2)
            continue
        found[descriptor.name] = descriptor
    return found


def names() -> list[str]:
    return list(descriptors())


def descriptor(name: str) -> Descriptor:
    """Raises DataError for a name that is not installed."""
    known = descriptors()
    if name not in known:
        there = ", ".join(known) or "none; install maskwright again"
        raise DataError(f"no modality {name!r}{nearest(name, known)}", fix=f"there are: {there}", option="modality")
    return known[name]


def modality(name: str) -> Modality:
    """A fresh modality by name. Raises DataError for one that is not installed."""
    return descriptor(name).create()


def claimed(paths: Sequence[str], values: Sequence[Any] = (), field: str | None = None) -> tuple[Descriptor, str]:
    """The modality that claims some data most surely, and why. Raises DataError where none does, and where there is none.

    `paths` are those of a `Source`, `values` what Python gave instead, `field` the column that was asked for.
    """
    folders = [Path(path) for path in paths if Path(path).is_dir()]
    if folders and len(folders) == len(paths) and not any(map(_holds_files, folders)):
        raise DataError("no files in it", where=paths[0], fix="give a file or folder that has some")
    claims: list[tuple[Claim, Descriptor]] = [(d.claim(paths, values, field), d) for d in descriptors().values()]
    if not claims or not max(claim.sure for claim, _ in claims):
        why = "; ".join(f"{d.name}: {claim.why}" for claim, d in claims)
        raise DataError(f"nothing here learns from this ({why})", fix=f"there are: {', '.join(names())}")
    claim, best = max(claims, key=lambda item: item[0].sure)
    return best, claim.why


def _holds_files(folder: Path) -> bool:
    return is_saved_dataset(folder) or next(walk.files(folder), None) is not None


def of_checkpoint(folder: Path) -> Modality:
    """The modality that a checkpoint of others belongs to. Raises ModelError."""
    from maskwright.nets.checkpoints.convert import Foreign

    foreign = []
    for made in map(modality, descriptors()):
        try:
            made.checkpoints.net_config(folder)
            return made
        except Foreign as error:
            foreign.append(error)
    raise Foreign(foreign[0].kind, [family for error in foreign for family in error.known], where=folder)
