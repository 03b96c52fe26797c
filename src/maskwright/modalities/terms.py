"""A picture in a model's terms (channels, depth, size), and what a model made of it brought back to the picture's own.

In: a `Picture`. Out: levels as a model of pictures reads them; and a `Picture` again, in which everything that was known is
as it was, byte for byte, and only what was filled has been converted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maskwright.errors import DataError
from maskwright.records.pictures import Picture, resized
from maskwright.tokens import Array

LUMINANCE = np.array([0.299, 0.587, 0.114])
"""of red, green and blue (ITU-R BT.601)"""


@dataclass(frozen=True)
class Terms:
    channels: int
    bits: int
    """8 or 16"""
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
        if self.bits == 8 and pixels.dtype == np.uint16:
            pixels = (pixels >> _shift(pixels[known])).clip(0, 255).astype(np.uint8)
        elif self.bits == 16 and pixels.dtype == np.uint8:
            pixels = pixels.astype(np.uint16) * 257
        pixels = _coloured(pixels, self.channels)
        if self.side and pixels.shape[:2] != (self.side, self.side):
            dtype = pixels.dtype
            if known.all():
                known = np.ones((self.side, self.side), dtype=bool)
            else:  # whatever a blank has touched is blank
                pixels = np.where(known[..., None], pixels, _mean(pixels, known))
                known = resized(known[..., None].astype(np.float32), self.side, self.side)[..., 0]
                known = np.abs(known - 1) < 0.01  # bicubic overshoots beside a blank too
            pixels = _levels(resized(pixels.astype(np.float32), self.side, self.side), dtype)
        return pixels, known

    def returned(self, picture: Picture, made: Array) -> Picture:
        """The picture with what isn't known of it taken from `made`, (rows, columns, C) levels in the model's terms."""
        rows, columns, own = picture.pixels.shape
        if made.shape[:2] != (rows, columns):
            made = _levels(resized(made.astype(np.float32), rows, columns), made.dtype)
        made = _coloured(made, own)
        if picture.pixels.dtype == np.uint16 and made.dtype == np.uint8:
            shift = _shift(picture.pixels if picture.known is None else picture.pixels[picture.known])
            made = made.astype(np.uint16) * 257 if shift == 8 else made.astype(np.uint16) << shift
        elif picture.pixels.dtype == np.uint8 and made.dtype == np.uint16:
            made = (made >> 8).astype(np.uint8)
        if picture.known is None:
            return Picture(picture.pixels)
        return Picture(np.where(picture.known[..., None], picture.pixels, made))


def _shift(pixels: Array) -> int:
    """By which 16 bits become 8: a camera's 12 would look black in the upper byte."""
    depth = max(8, int(pixels.max(initial=0)).bit_length())
    return depth - 8 if depth <= 12 else 8


def _coloured(pixels: Array, channels: int) -> Array:
    own = pixels.shape[2]
    if own == 1 and channels == 3:
        return np.repeat(pixels, 3, axis=2)
    if own == 3 and channels == 1:
        return _levels(pixels @ LUMINANCE, pixels.dtype)[..., None]
    return pixels


def _levels(values: Array, dtype: np.dtype) -> Array:
    return np.asarray(values).round().clip(0, np.iinfo(dtype).max).astype(dtype)


def _mean(pixels: Array, known: Array) -> Array:
    return pixels[known].mean(axis=0) if known.any() else pixels.mean(axis=(0, 1))
