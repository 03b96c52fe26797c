"""What a recipe says of images, and what can't be said together.

In: values of `[image]`. Out: a checked configuration. Knows nothing of the images themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

from maskwright.errors import RecipeError
from maskwright.modalities.base import ModalityConfig

FAMILIES = ("", "vit_mae")
DEFAULT_SIDE = 96
"""The side of the squares that a ViT-MAE reads, in pixels, unless the recipe sets one."""
LONGEST = 1024
"""The most pixels that an image's longer side is read with, by default: beyond it patches show texture and windows no
object, and a photograph takes a minute to score."""


@dataclass(frozen=True, kw_only=True)
class ImageConfig(ModalityConfig):
    """How images are read."""

    patch: int = 8
    """The side of a patch, in pixels."""
    channels: int = 0
    """Channels of every image: 1 (grey), 3 (RGB), or what arrays have; 0 stands for what most images have."""
    bits: int = 0
    """Bits a channel, 8 or 16; 0 stands for what most images have."""
    depth: int = 0
    """Bits that the levels of 16-bit images really have, 12 from many cameras; 0 stands for what the brightest needs."""
    family: str = ""
    """The family of the net: vit_mae is one that transformers' ViTMAEForPreTraining and ViTModel open; empty is our own,
    which learns more."""
    side: int = 0
    """The side of the square, in pixels, to which every image is brought; at 0 each keeps its proportions."""
    longest: int = LONGEST
    """An image whose longer side has more pixels than this is read made smaller; 0 reads all as they are, where details of
    few pixels count."""
    shift: bool = False
    """Whether training cuts an image's patches from another place each time: for very few images, and long runs."""
    mean: tuple[float, ...] = ()
    """The mean of each channel, from 0 to 1, by which a ViT-MAE has its pixels normalised; empty is one half."""
    deviation: tuple[float, ...] = ()
    """The deviation of each channel, by which a ViT-MAE has its pixels normalised; empty is one half."""
    norm_pix: bool = False
    """Whether a ViT-MAE says how patches look once each is normalised by itself, which teaches its vectors more and fills
    less: a filled patch takes brightness and contrast from visible ones next to it."""

    def __post_init__(self) -> None:
        if not 1 <= self.patch <= 32 or self.bits not in (0, 8, 16):
            raise RecipeError("image.patch must lie between 1 and 32, image.bits be 0, 8 or 16")
        if min(self.channels, self.side, self.longest) < 0:
            raise RecipeError("image.channels, side and longest must be at least 0")
        if self.depth and not 9 <= self.depth <= 16:
            raise RecipeError("image.depth must lie between 9 and 16, or be 0", option="image.depth")
        if self.family not in FAMILIES:
            what = f"image.family {self.family!r}: vit_mae is the only one"
            raise RecipeError(what, fix="leave it out for ours", option="image.family")
        if self.family and self.bits == 16:
            what = "image.bits 16 is not for image.family vit_mae, whose pictures have 8"
            raise RecipeError(what, fix="leave one of them out", option="image.bits")
        for name in ("norm_pix", "mean", "deviation"):
            if getattr(self, name) and not self.family:
                raise RecipeError(f"image.{name} is for image.family vit_mae", fix="leave it out", option=f"image.{name}")
        if min(self.deviation, default=1.0) <= 0:
            raise RecipeError("image.deviation must be above 0 for every channel", option="image.deviation")
        if self.square and self.shift:
            raise RecipeError("image.shift is not for squares (image.side): their patches are known by their places")
        if self.family and self.square % self.patch:
            raise RecipeError(f"image.side {self.square} must be a whole number of patches (image.patch = {self.patch})")

    @property
    def square(self) -> int:
        return self.side or (DEFAULT_SIDE if self.family else 0)

    def ill_normed(self, channels: int) -> str:
        """What is wrong with the means or deviations, if pictures have so many channels."""
        odd = next((len(values) for values in (self.mean, self.deviation) if len(values) not in (0, channels)), None)
        return "" if odd is None else f"{odd} values where pictures have {channels} channels; give one for each"
