"""Which net reads pictures: ours, or a ViT-MAE (He et al., 2022), which other libraries open.

In: what a model's pictures are. Out: the net's shape, its first and last layers, what stands around a picture, how it wants
to be trained, and its description in another library's terms. Knows nothing of records or queries.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from maskwright.errors import RecipeError
from maskwright.modalities.image.config import ImageConfig
from maskwright.nets.checkpoints import convert
from maskwright.nets.checkpoints.family import of_shape
from maskwright.nets.checkpoints.vit import VIT, VIT_FAMILIES, to_config, vit_mae
from maskwright.nets.encoder import NetConfig
from maskwright.nets.heads.pixels import PixelHead, PixelInput
from maskwright.nets.heads.vit_mae import Colours, SquaredHead, VitInput
from maskwright.tokens import Batch
from maskwright.tokens.masking import MaskConfig

HOLE = 6.0
"""The mean side, in patches, of the boxes that training hides, before sides are cut off at `masking.LONGEST_SIDE` (5
after)."""
DECODER_SHARE = 3
"""Layers of the encoder for each layer of the decoder."""
PREPROCESSOR = "preprocessor_config.json"
UNCALIBRATED = "not calibrated: a ViT-MAE's head doesn't learn how sure it is; scores and bits rank, and say no more"
BORROWED = (
    "filled patches have the brightness and contrast of visible ones beside them: this ViT-MAE was trained on patches that"
    " are normalised by themselves (image.norm_pix)"
)


@dataclass(frozen=True)
class Architecture(ABC):
    config: ImageConfig
    channels: int
    levels: int

    @property
    def values(self) -> int:
        """Of a patch."""
        return self.config.patch**2 * self.channels

    @property
    @abstractmethod
    def mask(self) -> MaskConfig: ...

    @property
    @abstractmethod
    def caveats(self) -> dict[str, str]: ...

    @property
    @abstractmethod
    def frame_size(self) -> int: ...

    @abstractmethod
    def frame(self, batch: Batch) -> Batch: ...

    @abstractmethod
    def shaped(self, config: NetConfig, given: Mapping[str, Any]) -> NetConfig: ...

    @abstractmethod
    def input(self, config: NetConfig) -> nn.Module: ...

    @abstractmethod
    def head(self, config: NetConfig) -> nn.Module: ...

    @abstractmethod
    def files(self, config: NetConfig) -> dict[str, Any] | None:
        """In another library's terms, by name."""


class OwnArchitecture(Architecture):
    """Pictures of any size, every pixel a probability."""

    @property
    def mask(self) -> MaskConfig:
        """`score` and `fill` hide little or much, here and there or a whole hole."""
        return MaskConfig(kind="mixed", schedule="uniform", rate=0.95, rate_end=0.05, box_mean=HOLE)

    @property
    def caveats(self) -> dict[str, str]:
        return {}

    @property
    def frame_size(self) -> int:
        return 0

    def frame(self, batch: Batch) -> Batch:
        return batch

    def shaped(self, config: NetConfig, given: Mapping[str, Any]) -> NetConfig:
        _refuse(given, "grid")
        wanted = {"global_every": 1, "grid": 0, "decoder_layers": max(config.layers // DECODER_SHARE, 1)}
        return replace(config, **wanted | dict(given))

    def input(self, config: NetConfig) -> nn.Module:
        return PixelInput(self.values, self.channels, self.levels, config)

    def head(self, config: NetConfig) -> nn.Module:
        return PixelHead(self.values, self.channels, self.levels, config)

    def files(self, config: NetConfig) -> dict[str, Any] | None:
        return None


class VitMaeArchitecture(Architecture):
    """Squares of one size, learnt from much that is hidden, by their squared error."""

    @property
    def mask(self) -> MaskConfig:
        return MaskConfig(schedule="fixed", rate=0.75)

    @property
    def caveats(self) -> dict[str, str]:
        return {"score": f"scores are {UNCALIBRATED}"} | ({"fill": BORROWED} if self.config.norm_pix else {})

    @property
    def frame_size(self) -> int:
        return 1

    def frame(self, batch: Batch) -> Batch:
        """Before every piece what ViT calls [CLS]."""
        first = batch.cu_seqlens[:-1]
        cu = batch.cu_seqlens + np.arange(len(batch.cu_seqlens))
        wide = batch.take(np.insert(np.arange(len(batch)), first, first))
        frame = np.zeros(len(wide), dtype=bool)
        frame[cu[:-1]] = True
        return Batch(
            values=wide.values,
            positions=np.where(frame[:, None], 0, wide.positions),
            kind=frame.astype(np.int64),
            present=wide.present | frame,
            maskable=wide.maskable & ~frame,
            unit=np.where(frame, 0, wide.unit - wide.unit.min(initial=0) + 1),
            where=np.where(frame[:, None], 0, wide.where),
            cu_seqlens=cu,
            keys=batch.keys,
        )

    def shaped(self, config: NetConfig, given: Mapping[str, Any]) -> NetConfig:
        _refuse(given, "grid", "length")
        along = self.config.square // self.config.patch
        wanted = vit_mae(config.width, config.layers, config.heads, 4 * config.width, along)
        made = replace(config, **wanted | dict(given))
        of_shape(made, VIT_FAMILIES)  # raises where no other library could open it
        return made

    def input(self, config: NetConfig) -> nn.Module:
        return VitInput(self.config.patch, self.channels, self._colours(), config)

    def head(self, config: NetConfig) -> nn.Module:
        return SquaredHead(self.channels, self._colours(), self.values, self.config.norm_pix, config)

    def _colours(self) -> Colours:
        return Colours(*self._normal, self.levels, self.config.patch**2)

    @property
    def _normal(self) -> tuple[list[float], list[float]]:
        """Mean and deviation of every channel."""
        half = [0.5] * self.channels
        return list(self.config.mean) or half, list(self.config.deviation) or half

    def files(self, config: NetConfig) -> dict[str, Any] | None:
        mean, deviation = self._normal
        processor = {
            "image_processor_type": "ViTImageProcessor", "do_resize": True, "resample": 3, "do_rescale": True,
            "size": {"height": self.config.square, "width": self.config.square}, "rescale_factor": 1 / 255,
            "do_normalize": True, "image_mean": mean, "image_std": deviation,
        }  # fmt: skip
        theirs = to_config(config, self.config.patch, self.channels, self.config.norm_pix)
        return {"config.json": theirs, PREPROCESSOR: processor}


def architecture(config: ImageConfig, channels: int, levels: int) -> Architecture:
    return (VitMaeArchitecture if config.family else OwnArchitecture)(config, channels, levels)


def of_others(folder: Path) -> tuple[ImageConfig, Path]:
    """What another library's checkpoint says of its pictures, and the file that does. Raises ModelError, and what reading
    JSON raises."""
    _, theirs = convert.read_config(folder, VIT_FAMILIES)
    path = folder / PREPROCESSOR
    normal = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    channels = theirs.get("num_channels", 3)
    if normal.get("do_normalize") is False:  # levels from 0 to 1, as they are
        normal = {"image_mean": [0.0] * channels, "image_std": [1.0] * channels}
    config = ImageConfig(
        family="vit_mae", patch=theirs.get("patch_size", 16), side=theirs.get("image_size", 224), bits=8, channels=channels,
        mean=tuple(normal.get("image_mean") or ()), deviation=tuple(normal.get("image_std") or ()),
        norm_pix=bool(theirs.get("norm_pix_loss")),
    )  # fmt: skip
    return config, path


def left_open(folder: Path) -> tuple[str, ...]:
    """What another library's checkpoint says nothing of: a ViT has no head."""
    _, theirs = convert.read_config(folder, VIT_FAMILIES)
    return ("norm_pix",) if theirs["model_type"] == VIT.name else ()


def _refuse(given: Mapping[str, Any], *fixed: str) -> None:
    for name in fixed:
        if name in given:
            raise RecipeError(
                f"net.{name} follows from image.family, side and patch", fix="leave it out", option=f"net.{name}"
            )
