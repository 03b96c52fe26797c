"""A picture in a model's terms (channels, depth, size), and what a model made of it brought back to the picture's own.

In: a `Picture`. Out: levels as a model of pictures reads them; and a `Picture` again, in which everything that was known is
as it was, byte for byte, and only what was filled has been converted.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np

from maskwright.errors import DataError, MaskwrightWarning
from maskwright.records.pictures import Picture, resized
from maskwright.tokens import Array

WHOLE, CAMERA = 16, 12
"""bits that the levels of 16-bit pictures have, where none of them told the model: all, or, where a picture's own do with
fewer, those of many cameras"""
TOO_BRIGHT = "levels over {0} bits, the depth of the model's pictures, are read as the brightest (training: image.depth=16)"
LUMINANCE = np.array([0.299, 0.587, 0.114])
"""of red, green and blue (ITU-R BT.601)"""


@dataclass(frozen=True)
class Terms:
    channels: int
    bits: int
    """8 or 16"""
    depth: int
    """bits that the levels of 16-bit pictures have; 0: each picture tells"""
    side: int
    """pixels a side of the square that every picture is brought to; 0: each keeps its size"""

    def brought(self, picture: Picture, name: str) -> tuple[Array, Array]:
        """(rows, columns, C) levels; (rows, columns) which of them are known. Raises DataError."""
        pixels, own = picture.pixels, picture.pixels.shape[2]
        if own != self.channels and {own, self.channels} != {1, 3}:
            hint = " (of an RGBA array Image.fromarray makes a picture with holes)" if (own, self.channels) == (4, 3) else ""
            raise DataError(
                f"{name}: {own} channels, where the model has {self.channels}; leave it out, or convert it{hint}"
            )
        known = np.ones(pixels.shape[:2], dtype=bool) if picture.known is None else picture.known
        pixels = _coloured(_scaled(pixels, self._top(picture), self.top), self.channels)
        if self.side and pixels.shape[:2] != (self.side, self.side):
            if known.all():
                known = np.ones((self.side, self.side), dtype=bool)
            else:
                pixels = np.where(known[..., None], pixels, _mean(pixels, known))
                known = _wholly_known(known, self.side)
            pixels = _levels(resized(pixels.astype(np.float32), self.side, self.side), self.top)
        return pixels, known

    @property
    def top(self) -> int:
        """The highest level."""
        return 255 if self.bits == 8 else (1 << self.depth) - 1

    def _top(self, picture: Picture) -> int:
        if picture.pixels.dtype == np.uint8:
            return 255
        depth = self.depth or (CAMERA if picture.brightest < 1 << CAMERA else WHOLE)
        if picture.brightest >= 1 << depth:
            warnings.warn(TOO_BRIGHT.format(depth), MaskwrightWarning, stacklevel=2)
        return (1 << depth) - 1

    def returned(self, picture: Picture, made: Array) -> Picture:
        """The picture with what isn't known of it taken from `made`, (rows, columns, C) levels in the model's terms."""
        rows, columns, own = picture.pixels.shape
        if made.shape[:2] != (rows, columns):
            made = _levels(resized(made.astype(np.float32), rows, columns), self.top)
        made = _coloured(_scaled(made, self.top, self._top(picture)), own)
        if picture.known is None:
            return picture
        return replace(picture, pixels=np.where(picture.known[..., None], picture.pixels, made), known=None)


def _scaled(pixels: Array, top: int, wanted: int) -> Array:
    """Levels up to `top` as levels up to `wanted`; what is brighter is the brightest."""
    if top == wanted:
        return pixels if top in (255, 65_535) else np.minimum(pixels, np.uint16(top))
    levels = np.arange(np.iinfo(pixels.dtype).max + 1).clip(max=top)
    return ((levels * wanted + top // 2) // top).astype(np.uint8 if wanted < 256 else np.uint16)[pixels]


def _wholly_known(known: Array, side: int) -> Array:
    """(rows, columns) to a square: whatever a blank has touched is blank, however small it was."""
    shade = resized(known[..., None].astype(np.float32), side, side)[..., 0]
    holes = ~known
    for axis, extent in enumerate(known.shape):  # none in the area that a pixel stands for
        first, last = np.arange(side) * extent // side, -(-np.arange(1, side + 1) * extent // side)
        up_to = np.insert(np.cumsum(holes, axis=axis, dtype=np.int64), 0, 0, axis=axis)
        holes = np.take(up_to, last, axis) > np.take(up_to, first, axis)
    return np.asarray(~holes & (np.abs(shade - 1) < 0.01))  # bicubic overshoots beside a blank too


def _coloured(pixels: Array, channels: int) -> Array:
    own = pixels.shape[2]
    if own == 1 and channels == 3:
        return np.repeat(pixels, 3, axis=2)
    if own == 3 and channels == 1:
        return (pixels @ LUMINANCE).round().astype(pixels.dtype)[..., None]
    return pixels


def _levels(values: Array, top: int) -> Array:
    return np.asarray(values).round().clip(0, top).astype(np.uint8 if top < 256 else np.uint16)


def _mean(pixels: Array, known: Array) -> Array:
    return pixels[known].mean(axis=0) if known.any() else pixels.mean(axis=(0, 1))
