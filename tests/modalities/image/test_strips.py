"""What is looked at fits a screen, whatever it was made from."""

from __future__ import annotations

import numpy as np
import pytest

from maskwright.modalities.image import strips
from maskwright.modalities.image.pixels import Image


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_strip_of_photographs_is_made_smaller_and_shows_what_was_hidden(kind: type) -> None:
    top = np.iinfo(kind).max
    pixels = np.full((1500, 3000, 3), top // 2, dtype=kind)
    pixels[:, 1500:] = top
    known = np.ones((1500, 3000), dtype=bool)
    known[:750] = False
    seen = strips.side_by_side([Image(pixels), Image(pixels, known)]).pixels
    assert seen.shape == (512, 2 * 1024 + strips.GAP, 3)
    assert (seen[400, [100, 900, -900, -100], 0] == [127, 255, 127, 255]).all()
    assert set(np.unique(seen[:250, -1000:])) == {strips.LIGHT, strips.DARK}


def test_heat_over_a_large_deep_picture_hides_what_is_not_known() -> None:
    known = np.ones((1500, 3000), dtype=bool)
    known[:500, :1000] = False
    seen = strips.heat(Image(np.full((1500, 3000, 1), 1000, dtype=np.uint16), known), [(0, 0, 3000, 1500)], [1.0]).pixels
    assert set(np.unique(seen[:165, :335])) == {strips.LIGHT, strips.DARK}
    assert set(np.unique(seen[180:, :1024])) == {255}
    assert set(np.unique(seen[:, 350:1024])) == {255}


def test_heat_lies_where_it_was_found_and_its_smallest_places_are_seen() -> None:
    picture = Image(np.zeros((2000, 4000, 1), dtype=np.uint8))
    seen = strips.heat(picture, [(2000, 0, 4000, 1000), (100, 1500, 101, 1501)], [1.0, 2.0]).pixels[:, -1024:].max(axis=2)
    assert seen.shape == (512, 1024)
    assert seen[384, 26] == 255
    assert np.unique(seen[:256, 512:]).size == 1
    assert seen[:256, 512:].min() > 0 == np.delete(seen[256:], [127, 128, 129], axis=0).max()


def test_a_small_strip_is_as_it_was() -> None:
    one = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    seen = strips.side_by_side([Image(one), Image(one)]).pixels
    assert np.array_equal(seen[:, :30], one)
    assert np.array_equal(seen[:, -30:], one)
