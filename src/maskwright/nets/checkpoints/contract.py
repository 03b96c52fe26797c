"""What a modality may say of weights in folders: which families its nets belong to, and what goes with their weights.

In: a checkpoint's folder, or a net's shape. Out: our shape, adopted weights, files for other libraries. As it stands it
serves a modality whose nets no other library has; one with families overrides what it knows better.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from maskwright.nets.checkpoints import convert
from maskwright.nets.checkpoints.family import Family
from maskwright.nets.encoder import NetConfig


class Checkpoints:
    families: tuple[Family, ...] = ()
    """Families of other libraries whose checkpoints training may go on from."""

    def net_config(self, folder: Path) -> NetConfig:
        """The shape of a net that was trained elsewhere, to go on from. Raises ModelError."""
        return convert.read_config(folder, self.families)[0]

    def checkpoint_config(self, folder: Path) -> dict[str, Any]:
        """What a checkpoint says of the modality's section of the recipe, which goes with its weights. Raises ModelError."""
        return {}

    def adopt(self, net: nn.Module, folder: Path) -> bool:
        """Gives a net of that shape those weights; says whether the checkpoint had a head, which else stays as it was.
        Raises ModelError."""
        return convert.adopted(net, convert.read(folder, self.families)[2], folder)

    def files(self, config: NetConfig) -> dict[str, Any] | None:
        """The files, as JSON by name, with which other libraries open a net of that shape: config.json first; None where
        none can. Raises ModelError for a net that should be theirs and can't."""
        return None
