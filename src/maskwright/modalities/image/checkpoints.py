"""An image model's weights and its `image.json`: our own nets in our names, a ViT-MAE in those of transformers.

In: a folder, ours or another library's, or a net's shape. Out: what it says of its images, shapes, weights, files for other
libraries.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from maskwright.errors import ModelError, RecipeError
from maskwright.modalities.image.config import ImageConfig
from maskwright.modalities.image.net import PREPROCESSOR, Architecture, left_open, of_others
from maskwright.nets.checkpoints import Checkpoints
from maskwright.nets.checkpoints.vit import VIT_FAMILIES
from maskwright.nets.encoder import NetConfig

FILE = "image.json"


class ImageCheckpoints(Checkpoints):
    """`architecture` is that of the modality's own nets."""

    families = VIT_FAMILIES

    def __init__(self, architecture: Architecture) -> None:
        self.architecture = architecture

    def checkpoint_config(self, folder: Path) -> dict[str, Any]:
        free = () if (folder / FILE).is_file() else left_open(folder)
        return {name: value for name, value in asdict(read_config(folder)).items() if name not in free}

    def files(self, config: NetConfig) -> dict[str, Any] | None:
        return self.architecture.files(config)


def write_config(folder: Path, config: ImageConfig) -> None:
    """Writes what a model's images are."""
    (folder / FILE).write_text(json.dumps(asdict(config), indent=2) + "\n", encoding="utf-8")


def read_config(folder: Path) -> ImageConfig:
    """The inverse of `write_config`; or what another library's checkpoint says of its images. Raises ModelError."""
    own, named = (folder / FILE).is_file(), folder / FILE
    try:
        if own:
            said = json.loads(named.read_text(encoding="utf-8"))
            values: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in said.items()}
            config = ImageConfig(**values)
        else:
            config, named = of_others(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        where = named if own else folder / PREPROCESSOR
        raise ModelError("missing or damaged", where=where, fix="take the folder from its origin again") from None
    except RecipeError as error:
        raise ModelError(error.message, where=named if own else folder) from None
    if wrong := config.ill_normed(config.channels):
        raise ModelError(wrong, where=named)
    return config
