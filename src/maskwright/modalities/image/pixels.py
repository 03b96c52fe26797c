"""A picture as Python holds it: pixels at their recorded depth, and which of them are known.

In: arrays. Out: an `Image`. Knows no files and no models.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maskwright.records.value_type import Value
from maskwright.tokens import Array


@dataclass(frozen=True, eq=False)
class Image(Value):
    """One picture, of any size and any number of channels."""

    pixels: Array
    """(rows, columns, channels) levels, uint8 or uint16."""
    known: Array | None = None
    """(rows, columns) bool: which pixels are known; None: all are."""
    profile: bytes = b""
    """The ICC profile that says what the colours mean, where the picture's file had one, else empty; a file that the picture
    is written to gets the same."""

    @property
    def brightest(self) -> int:
        """Its highest known level."""
        return int((self.pixels if self.known is None else self.pixels[self.known]).max(initial=0))

    def __repr__(self) -> str:
        rows, columns, channels = self.pixels.shape
        hidden = 0 if self.known is None else int((~self.known).sum())
        holes = f", {hidden} pixels not known" if hidden else ""
        return f"Image({columns}x{rows}, {channels} channels of {8 * self.pixels.dtype.itemsize} bits{holes})"

    def __bytes__(self) -> bytes:
        """What it is, for hashes: what is not known of two pictures tells them apart as little as it is seen."""
        kind = repr((self.pixels.shape, self.pixels.dtype.str)).encode()
        if self.known is None:
            return kind + self.pixels.tobytes()
        return kind + (self.pixels * self.known[..., None]).tobytes() + np.packbits(self.known).tobytes()
