"""A picture in a model's terms keeps what it means."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.errors import MaskwrightWarning
from maskwright.modalities.image.pixel_format import PixelFormat
from maskwright.modalities.image.pixels import Image


@pytest.mark.filterwarnings("ignore:pictures of 16 bits")
@pytest.mark.parametrize(("bits", "depth"), [(8, 16), (8, 12), (16, 16), (16, 12)])
def test_levels_go_there_and_back(bits: int, depth: int) -> None:
    terms = PixelFormat(1, bits, depth, 0)
    every = np.arange(1 << 8, dtype=np.uint8).reshape(16, 16, 1)
    hidden = Image(every, np.zeros((16, 16), dtype=bool))
    levels, _ = terms.brought(hidden, "a")
    assert (levels.min(), levels.max()) == (0, terms.top)
    assert np.array_equal(terms.returned(hidden, levels).pixels, every)
    deep = (np.arange(1 << depth, dtype=np.int64)[:: 1 << (depth - 8)] // 16 * 16).astype(np.uint16).reshape(16, 16, 1)
    levels, _ = terms.brought(Image(deep), "a")
    apart = terms.returned(Image(deep, np.zeros((16, 16), dtype=bool)), levels).pixels.astype(int) - deep
    assert np.abs(apart).max() <= (0 if bits == 16 else (1 << depth) / 255)


@pytest.mark.filterwarnings("ignore:pictures with more", "ignore:pictures are read as squares")
@pytest.mark.parametrize("terms", [PixelFormat(3, 8, 16, 32), PixelFormat(3, 8, 16, 0, 100), PixelFormat(3, 8, 16, 1500)])
def test_dust_on_a_picture_of_another_size_leaves_what_is_beside_it_known(terms: PixelFormat) -> None:
    y, x = np.mgrid[:1000, :700]
    picture = np.dstack([y / 5, x / 4, (y + x) / 10]).astype(np.uint8)
    known = np.random.default_rng(0).random((1000, 700)) > 0.1
    known[300:500, 200:400] = False
    dusty = np.where(known[..., None], picture, 255)
    levels, shown = terms.brought(Image(dusty, known), "a")
    whole, _ = terms.brought(Image(picture), "a")
    rows, columns = shown.shape
    assert not shown[-(-rows * 31 // 100) : rows * 49 // 100, -(-columns * 21 // 70) : columns * 39 // 70].any()
    away = np.ones((rows, columns), dtype=bool)
    away[rows * 29 // 100 : rows * 51 // 100, columns * 19 // 70 : columns * 41 // 70] = False
    assert shown[away].mean() > (0.85 if rows > 1000 else 0.999)
    assert np.abs(levels[shown & away].astype(int) - whole[shown & away]).max() <= 3
    other, same = terms.brought(Image(np.where(known[..., None], picture, 7), known), "a")
    assert np.array_equal(shown, same)
    assert np.array_equal(levels[shown], other[shown])  # of what is hidden nothing is seen


@given(st.integers(1, 9000), st.integers(1, 9000), st.integers(1, 2000))
def test_what_is_too_long_keeps_its_proportions(rows: int, columns: int, longest: int) -> None:
    made = PixelFormat(1, 8, 0, 0, longest).shape(rows, columns)
    assert max(made) == min(max(rows, columns), longest)
    assert min(made) >= 1
    by = max(rows, columns) / max(made)
    assert all(abs(n - wanted / by) <= 0.5 or n == 1 for n, wanted in zip(made, (rows, columns), strict=True))


@pytest.mark.parametrize(("kind", "channels"), [(np.uint8, 3), (np.uint8, 1), (np.uint8, 5), (np.uint16, 1)])
def test_a_large_picture_is_filled_where_it_was_open_alone(kind: type, channels: int) -> None:
    bits, rng = 8 * np.dtype(kind).itemsize, np.random.default_rng(0)
    terms = PixelFormat(channels, bits, 16, 0, 50)
    picture = rng.integers(0, 1 << bits, (201, 99, channels)).astype(kind)
    known = np.ones((201, 99), dtype=bool)
    known[100:140, 20:60] = False
    with pytest.warns(MaskwrightWarning, match="more than 50 pixels a side"):
        levels, shown = terms.brought(Image(picture, known), "a")
    assert levels.shape == (50, 25, channels)
    assert levels.dtype == kind
    assert not shown[26:34, 6:14].any()
    assert shown.sum() > 50 * 25 - 13 * 13
    rising = (np.arange(50)[:, None, None] * 4 + np.arange(25)[None, :, None] + np.zeros(channels)).astype(kind)
    made = terms.returned(Image(picture, known), rising).pixels
    assert np.array_equal(made[known], picture[known])
    y, x = np.nonzero(~known)
    assert np.abs(made[y, x, 0].astype(int) - (y + x / 4 - 1.9)).max() < 1.5


@pytest.mark.parametrize(
    ("terms", "picture", "said"),
    [
        (PixelFormat(1, 8, 0, 0), Image(np.zeros((4, 4, 3), dtype=np.uint8)), "in colour are read in grey"),
        (PixelFormat(1, 8, 0, 0), Image(np.zeros((4, 4, 1), dtype=np.uint16)), "16 bits are read with 8"),
        (PixelFormat(3, 8, 0, 16), Image(np.zeros((33, 40, 3), dtype=np.uint8)), "squares of 16 pixels"),
    ],
)
def test_what_is_lost_on_the_way_is_said(terms: PixelFormat, picture: Image, said: str) -> None:
    with pytest.warns(MaskwrightWarning, match=said):
        terms.brought(picture, "a")
    terms.brought(picture, "a")  # and once


@pytest.mark.filterwarnings("ignore:pictures of 16 bits")
def test_a_model_that_saw_no_16_bits_takes_a_cameras_twelve_for_what_they_are() -> None:
    dark = np.array([[0, 2048, 4095]], dtype=np.uint16)[..., None]
    terms = PixelFormat(1, 8, 0, 0)
    assert terms.brought(Image(dark), "a")[0].ravel().tolist() == [0, 128, 255]
    assert terms.brought(Image(dark * 16 + 15), "a")[0].ravel().tolist() == [0, 128, 255]
    nothing = Image(np.array([[0, 2048, 65_535]], dtype=np.uint16)[..., None], np.array([[True, True, False]]))
    assert terms.brought(nothing, "a")[0].ravel().tolist() == [0, 128, 255]
