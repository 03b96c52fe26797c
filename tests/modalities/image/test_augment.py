"""What training sees of a picture is that picture, cut from another place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.errors import RecipeError
from maskwright.modalities.image.augment import cut, shifted, whole
from maskwright.modalities.image.config import ImageConfig
from maskwright.modalities.image.modality import ImageModality
from maskwright.tokens.masking import step_keys


@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(1, 9), st.lists(st.floats(0, 0.999), min_size=2, max_size=2),
    st.integers(0, 9),
)  # fmt: skip
@settings(deadline=None)
def test_a_view_is_the_far_corner_of_the_picture(height: int, width: int, p: int, chance: list[float], seed: int) -> None:
    rows, columns = -(-height // p), -(-width // p)
    pixels, known = np.zeros((rows * p, columns * p, 2), dtype=np.uint8), np.zeros((rows * p, columns * p), dtype=bool)
    pixels[:height, :width] = np.random.default_rng(seed).integers(1, 256, (height, width, 2))
    known[:height, :width] = True
    patches, there = shifted(cut(pixels, p), cut(known, p), np.array([[rows, columns]]), np.array([chance]))
    seen, shown = whole(patches, rows, columns), whole(there, rows, columns)
    left = shown.any(axis=1).sum(), shown.any(axis=0).sum()
    assert shown[: left[0], : left[1]].all()
    assert there.any(axis=(1, 2)).all()  # no patch is lost
    picture = pixels[:height, :width]
    assert np.array_equal(seen[: left[0], : left[1]], picture[height - left[0] :, width - left[1] :])
    assert not seen[~shown].any()
    assert height - left[0] < p
    assert width - left[1] < p


def test_pictures_are_moved_each_by_itself() -> None:
    rng = np.random.default_rng(0)
    sizes, chance = np.array([[2, 3], [4, 1], [3, 3]]), rng.random((3, 2))
    patches = rng.integers(0, 256, (19, 8, 8, 3), dtype=np.uint8)
    known = np.ones((19, 8, 8), dtype=bool)
    together, ends = shifted(patches, known, sizes, chance), np.cumsum([0, 6, 4, 9])
    for i in range(3):
        part = slice(ends[i], ends[i + 1])
        alone = shifted(patches[part], known[part], sizes[i : i + 1], chance[i : i + 1])
        assert all(np.array_equal(a[part], b) for a, b in zip(together, alone, strict=True))


def test_training_sees_views_where_asked_and_never_of_squares() -> None:
    columns = {
        "pixels": np.random.default_rng(0).integers(0, 256, (18, 192), dtype=np.uint8),
        "known": np.full((18, 8), 255, dtype=np.uint8),
    }
    sizes, image = np.array([[3, 3], [3, 3]]), ImageModality()
    image.channels, image.bits = 3, 8
    assert image.augmented(columns, sizes, np.arange(2, dtype=np.uint64)) is columns
    image.configure(ImageConfig(shift=True))
    one, again, other = (
        image.augmented(columns, sizes, step_keys(np.arange(2, dtype=np.uint64), 0, step)) for step in (1, 1, 2)
    )
    assert np.array_equal(one["pixels"], again["pixels"])
    assert not np.array_equal(one["pixels"], other["pixels"])
    assert not np.array_equal(one["pixels"], columns["pixels"])
    with pytest.raises(RecipeError, match=r"image\.shift is not for squares"):
        ImageConfig(shift=True, side=96)
