"""The registry: which modalities there are. The only place above their own files that names them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from maskwright.errors import DataError, nearest
from maskwright.modalities.base import Modality
from maskwright.modalities.image.config import ImageConfig
from maskwright.modalities.image.modality import ImageModality
from maskwright.modalities.text.modality import TextModality, TokenizerConfig
from maskwright.nets.checkpoints.convert import Foreign
from maskwright.records.read import Source

__all__ = ["ImageConfig", "Modality", "TokenizerConfig", "detect", "modality", "names"]
_MODALITIES: dict[str, Callable[[], Modality]] = {"text": TextModality, "image": ImageModality}


def names() -> list[str]:
    return list(_MODALITIES)


def sections() -> set[str]:
    """Where their configurations stand in a recipe."""
    return {made.section for made in map(modality, _MODALITIES)}


def of_sections(given: Iterable[str]) -> str:
    """The name of the one that has one of these sections of a recipe; else the first."""
    sections = set(given)
    return next((name for name in _MODALITIES if modality(name).section in sections), next(iter(_MODALITIES)))


def modality(name: str) -> Modality:
    """A fresh modality by name."""
    if name not in _MODALITIES:
        raise DataError(f"no modality {name!r}{nearest(name, _MODALITIES)}; there are: {', '.join(_MODALITIES)}")
    return _MODALITIES[name]()


def of_checkpoint(folder: Path) -> Modality:
    """The modality that a checkpoint of others belongs to. Raises ModelError."""
    foreign = []
    for made in map(modality, _MODALITIES):
        try:
            made.checkpoint(folder)
            return made
        except Foreign as error:
            foreign.append(error)
    raise Foreign(f"{folder}: ", foreign[0].kind, [family for error in foreign for family in error.known])


def detect(source: Source) -> tuple[Modality, str]:
    """The modality that claims a source most surely, and why. Raises DataError where none does."""
    claims = [(made.claims(source), made) for made in map(modality, _MODALITIES)]
    (sure, why), best = max(claims, key=lambda claim: claim[0][0])
    if not sure:
        raise DataError(f"nothing here learns from this yet: {why}; there are: {', '.join(_MODALITIES)}")
    return best, why
