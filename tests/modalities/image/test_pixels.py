"""A picture is what is seen of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from maskwright.modalities.image import files
from maskwright.modalities.image.pixels import Image as Picture
from tests.modalities.image.pictures import COLOURS, silent


def test_what_nobody_sees_tells_no_two_pictures_apart() -> None:
    hole = np.full((12, 20), 255, dtype=np.uint8)
    hole[3:6, 4:9] = 0
    other = COLOURS.copy()
    other[3:6, 4:9] = 7
    one, two = (files.of_python(Image.fromarray(np.dstack([c, hole])), "a", silent) for c in (COLOURS, other))
    assert bytes(one) == bytes(two)
    assert bytes(one) != bytes(files.of_python(Image.fromarray(COLOURS), "a", silent))


@given(arrays.arrays(st.sampled_from([np.uint8, np.uint16]), (3, 4, 2)), arrays.arrays(bool, (3, 4)), st.integers(0, 23))
def test_two_pictures_differ_where_something_seen_of_them_does(
    pixels: np.ndarray[Any, Any], known: np.ndarray[Any, Any], at: int
) -> None:
    other = pixels.copy()
    other.ravel()[at] ^= 1
    seen = bool(known.ravel()[at // 2])
    assert (bytes(Picture(pixels, known)) != bytes(Picture(other, known))) == seen
    assert bytes(Picture(pixels)) != bytes(Picture(other))
    assert bytes(Picture(pixels)) != bytes(Picture(pixels.reshape(4, 3, 2)))
    assert Picture(pixels, known).brightest == pixels[known].max(initial=0)


def test_a_picture_is_said_in_a_line() -> None:
    known = np.ones((2, 3), dtype=bool)
    known[0] = False
    assert repr(Picture(np.zeros((2, 3, 1), dtype=np.uint16))) == "Image(3x2, 1 channels of 16 bits)"
    assert (
        repr(Picture(np.zeros((2, 3, 3), dtype=np.uint8), known)) == "Image(3x2, 3 channels of 8 bits, 3 pixels not known)"
    )
