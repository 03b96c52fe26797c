"""A picture in a model's terms (channels, depth, size), and what a model made of it brought back to the picture's own.

In: a `Image`. Out: levels as a model of pictures reads them; and a `Image` again, in which everything that was known is
as it was, byte for byte, and only what was filled has been converted.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from maskwright.errors import DataError, MaskwrightWarning
from maskwright.modalities.image.files import resized
from maskwright.modalities.image.pixels import Image
from maskwright.tokens import Array

WHOLE, CAMERA = 16, 12
"""Depths of 16-bit pictures, in bits, where no picture told the model one: the full depth; and the depth of many cameras,
for a picture whose levels all fit into it."""
TOO_BRIGHT = "levels over {0} bits, the depth of the model's pictures, are read as the brightest (training: image.depth=16)"
TOO_LONG = (
    "pictures with more than {0:,} pixels a side are read made smaller, and filled as coarsely (training: image.longest=0"
    " reads every pixel)"
)
TOO_LARGE = "pictures are read as squares of {0} pixels a side, and filled as coarsely"
COLOUR = "pictures in colour are read in grey, as the model's are (training: image.channels=3)"
DEEP = "pictures of 16 bits are read with 8, as the model's are (training: image.bits=16)"
LUMINANCE = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in a grey level (ITU-R BT.601)."""


class Once:
    """Warns of a thing the first time: Python's own filters forget what they have shown whenever anybody changes them."""

    def __init__(self) -> None:
        self.said: set[str] = set()

    def __call__(self, words: str) -> None:
        if words not in self.said:
            self.said.add(words)
            warnings.warn(words, MaskwrightWarning, stacklevel=3)


@dataclass(frozen=True)
class PixelFormat:
    channels: int
    bits: int
    """Bits a channel: 8 or 16."""
    depth: int
    """Bits that the levels of 16-bit pictures really have; 0: it is told from each picture."""
    side: int
    """The side, in pixels, of the square that every picture is brought to; 0: each keeps its proportions."""
    longest: int = 0
    """The most pixels that the longer side of a picture that keeps its proportions is read with; 0: as many as it has."""
    warn: Callable[[str], None] = field(default_factory=Once, compare=False)

    def shape(self, rows: int, columns: int) -> tuple[int, int]:
        """In which a picture of that size is read."""
        if self.side:
            return self.side, self.side
        longer = max(rows, columns)
        if not self.longest or longer <= self.longest:
            return rows, columns
        return max(round(rows * self.longest / longer), 1), max(round(columns * self.longest / longer), 1)

    def brought(self, image: Image, where: str) -> tuple[Array, Array]:
        """(rows, columns, C) levels in its `shape`; (rows, columns) which of them are known. Raises DataError."""
        own = image.pixels.shape[2]
        if own != self.channels and {own, self.channels} != {1, 3}:
            hint = " (of an RGBA array Image.fromarray makes a picture with holes)" if (own, self.channels) == (4, 3) else ""
            what = f"{own} channels, where the model has {self.channels}"
            raise DataError(what, where=where, fix=f"leave it out, or convert it{hint}")
        top, small = self._top(image), self.reduced(image)
        if small is not image and not self.side:
            self.warn(TOO_LONG.format(self.longest))
        if 0 < 2 * self.side <= min(image.pixels.shape[:2]):
            self.warn(TOO_LARGE.format(self.side))
        if own > self.channels:
            self.warn(COLOUR)
        if image.pixels.dtype == np.uint16 and self.bits == 8:
            self.warn(DEEP)
        known = np.ones(small.pixels.shape[:2], dtype=bool) if small.known is None else small.known
        return _coloured(_scaled(small.pixels, top, self.top), self.channels), known

    def reduced(self, image: Image) -> Image:
        """In its `shape`, with levels and channels as they are. Where a pixel stands for several, what is known of them
        counts, and it is unknown where nothing is: dust on a photograph leaves enough to go by."""
        pixels, known = image.pixels, image.known
        own = pixels.shape[:2]
        shape = self.shape(*own)
        if shape == own:
            return image
        if known is None:
            return replace(image, pixels=resized(pixels, *shape))
        seen, by_area = (_seen(pixels, known, shape, smooth) for smooth in (True, False))
        made = np.where(seen[1] >= 0.5, seen[0], by_area[0]).round().clip(0, np.iinfo(pixels.dtype).max)
        return replace(image, pixels=made.astype(pixels.dtype), known=by_area[1][..., 0] > 0)

    @property
    def top(self) -> int:
        """The highest level."""
        return 255 if self.bits == 8 else (1 << self.depth) - 1

    def _top(self, image: Image) -> int:
        if image.pixels.dtype == np.uint8:
            return 255
        depth = self.depth or (CAMERA if image.brightest < 1 << CAMERA else WHOLE)
        if image.brightest >= 1 << depth:
            self.warn(TOO_BRIGHT.format(depth))
        return (1 << depth) - 1

    def returned(self, image: Image, made: Array) -> Image:
        """The picture with what isn't known of it taken from `made`, (rows, columns, C) levels in the model's terms."""
        rows, columns, own = image.pixels.shape
        if made.shape[:2] != (rows, columns):
            made = resized(made, rows, columns).clip(max=self.top)
        made = _coloured(_scaled(made, self.top, self._top(image)), own)
        if image.known is None:
            return image
        return replace(image, pixels=np.where(image.known[..., None], image.pixels, made), known=None)


def _scaled(pixels: Array, top: int, wanted: int) -> Array:
    """Levels up to `top` as levels up to `wanted`; what is brighter is the brightest."""
    if top == wanted:
        return pixels if top in (255, 65_535) else np.minimum(pixels, np.uint16(top))
    levels = np.arange(np.iinfo(pixels.dtype).max + 1).clip(max=top)
    return ((levels * wanted + top // 2) // top).astype(np.uint8 if wanted < 256 else np.uint16)[pixels]


def _seen(pixels: Array, known: Array, shape: tuple[int, int], smooth: bool) -> tuple[Array, Array]:
    """(rows, columns, C) of what is known alone, made `shape`; (rows, columns, 1) the share of each that is known. Smooth
    weights are below zero here and there, and say little where little is known."""
    weight = known[..., None].astype(np.float32)
    share = resized(weight, *shape, smooth)
    return resized(pixels * weight, *shape, smooth) / np.where(share > 0, share, 1), share


def _coloured(pixels: Array, channels: int) -> Array:
    own = pixels.shape[2]
    if own == 1 and channels == 3:
        return np.repeat(pixels, 3, axis=2)
    if own == 3 and channels == 1:
        return (pixels @ LUMINANCE).round().astype(pixels.dtype)[..., None]
    return pixels
