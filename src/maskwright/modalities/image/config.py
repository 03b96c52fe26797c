"""What a recipe says of pictures, and what can't be said together.

In: values of `[image]`. Out: a checked configuration. Knows nothing of pictures themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

from maskwright.errors import RecipeError

FAMILIES = ("", "vit_mae")
DEFAULT_SIDE = 96
"""of a ViT-MAE's squares"""
LONGEST = 1024
"""pixels: beyond it patches show texture and windows no object, and a photograph takes a minute to score"""


@dataclass(frozen=True, kw_only=True)
class ImageConfig:
    patch: int = 8
    """pixels a side"""
    channels: int = 0
    """1 (grey), 3 (RGB), or what arrays have; 0: what most pictures have"""
    bits: int = 0
    """8 or 16 a channel; 0: what most pictures have"""
    depth: int = 0
    """bits that the levels of 16-bit pictures really have, 12 from many cameras; 0: as many as the brightest needs"""
    family: str = ""
    """vit_mae: a net that transformers' ViTMAEForPreTraining and ViTModel open; empty: ours, which learns more"""
    side: int = 0
    """every picture is brought to a square of so many pixels; 0: each keeps its proportions"""
    longest: int = LONGEST
    """a picture whose longer side has more pixels is read made smaller, to so many; 0: as it is, where details of few pixels
    count"""
    shift: bool = False
    """training cuts a picture's patches from another place each time: where pictures are very few, and runs long"""
    mean: tuple[float, ...] = ()
    """of a channel, from 0 to 1, and below its deviation: by these a ViT-MAE has its pixels normalised; empty: one half"""
    deviation: tuple[float, ...] = ()
    norm_pix: bool = False
    """a ViT-MAE says how patches look once each is normalised by itself, which teaches its vectors more and fills less: a
    filled patch takes brightness and contrast from visible ones beside it"""

    def __post_init__(self) -> None:
        if not 1 <= self.patch <= 32 or self.bits not in (0, 8, 16):
            raise RecipeError("image.patch must lie between 1 and 32, image.bits be 0, 8 or 16")
        if min(self.channels, self.side, self.longest) < 0:
            raise RecipeError("image.channels, side and longest must be at least 0")
        if self.depth and not 9 <= self.depth <= 16:
            raise RecipeError("image.depth must lie between 9 and 16, or be 0")
        if self.family not in FAMILIES:
            raise RecipeError(f"image.family {self.family!r}: vit_mae is the only one; leave it out for ours")
        if self.family and self.bits == 16:
            raise RecipeError("image.bits 16 is not for image.family vit_mae, whose pictures have 8; leave one of them out")
        for name in ("norm_pix", "mean", "deviation"):
            if getattr(self, name) and not self.family:
                raise RecipeError(f"image.{name} is for image.family vit_mae; leave it out")
        if min(self.deviation, default=1.0) <= 0:
            raise RecipeError("image.deviation must be above 0 for every channel")
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
