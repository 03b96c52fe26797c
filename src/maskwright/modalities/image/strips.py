"""Pictures to look at: what was, what was hidden, what was made of it, side by side; and heat over one.

In: `Image`s of any channels and depth. Out: pictures of three channels of 8 bits. Only for eyes: nothing is computed on
what comes out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from maskwright.modalities.image.files import resized
from maskwright.modalities.image.pixels import Image
from maskwright.tokens import Array

GAP, CHECK, LIGHT, DARK = 4, 4, 235, 200
"""Pixels between two pictures; the side of a square, in pixels, and the two greys of the chequerboard that shows where
nothing is known."""
LONGEST = 1024
"""The longest side, in pixels, of a picture to look at; larger ones are made smaller."""
FIRE = np.array([[0, 0, 0], [90, 0, 0], [200, 30, 0], [255, 140, 0], [255, 230, 120], [255, 255, 255]], dtype=np.float64)
"""Colours (red, green, blue) of a scale from ordinary to strange."""


def side_by_side(parts: Sequence[Image]) -> Image:
    """One picture of several of one height, what isn't known of each as a board of squares."""
    most = max(int(part.pixels.max(initial=0)) for part in parts)
    seen = [_seen(part, most) for part in parts]
    gap = np.full((seen[0].shape[0], GAP, 3), 255, dtype=np.uint8)
    return Image(np.concatenate([piece for part in seen for piece in (gap, part)][1:], axis=1))


def heat(image: Image, places: Sequence[tuple[int, ...]], values: Sequence[float]) -> Image:
    """The picture beside how strange each part of it is, the strangest white: (left, top, right, bottom) of each, and its
    nats."""
    own = image.pixels.shape[:2]
    rows, columns = _fitting(own)
    scale = np.array([columns / own[1], rows / own[0]] * 2)
    nats = np.zeros((rows, columns))
    for place, value in zip(places, values, strict=True):
        left, top, right, bottom = (np.array(place) * scale).round().astype(int)
        nats[top : max(bottom, top + 1), left : max(right, left + 1)] = value
    share = nats / max(float(nats.max(initial=0)), 1e-9) * (len(FIRE) - 1)
    low = share.astype(int).clip(0, len(FIRE) - 2)
    colours = (FIRE[low] + (share - low)[..., None] * (FIRE[low + 1] - FIRE[low])).astype(np.uint8)
    deep = image.pixels.dtype != np.uint8
    eight = Image(_seen(image, int(image.pixels.max(initial=0)))) if deep else image
    return side_by_side([eight, Image(colours)])


def _fitting(extents: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns that a picture of these is shown in."""
    by = max(1.0, max(extents) / LONGEST)
    rows, columns = (max(round(n / by), 1) for n in extents)
    return rows, columns


def _seen(image: Image, most: int) -> Array:
    """(rows, columns, 3) uint8, of 16 bits in shares of `most`: other channel counts as the first three, or grey."""
    pixels = image.pixels
    if pixels.dtype == np.uint16:
        pixels = (pixels.astype(np.float64) * 255 / max(most, 255)).astype(np.uint8)
    pixels = pixels[..., :3] if pixels.shape[2] >= 3 else np.repeat(pixels[..., :1], 3, axis=2)
    own, known = pixels.shape[:2], image.known
    rows, columns = _fitting(own)
    if (rows, columns) != own:
        pixels = resized(pixels, rows, columns)
    if known is None:
        return np.asarray(pixels)
    known = known[np.ix_(np.arange(rows) * own[0] // rows, np.arange(columns) * own[1] // columns)]
    y, x = np.mgrid[:rows, :columns]
    board = np.where((y // CHECK + x // CHECK) % 2 == 0, LIGHT, DARK).astype(np.uint8)
    return np.where(known[..., None], pixels, board[..., None])
