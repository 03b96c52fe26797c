"""Fills are joined to what is around them, and nothing else changes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.modalities.image.blend import blended


def hole(rows: int, columns: int) -> np.ndarray:  # type: ignore[type-arg]
    out = np.zeros((rows, columns), dtype=bool)
    out[8:24, 8:32] = True
    return out


def test_steps_at_the_edges_of_patches_go() -> None:
    """A slope, filled by patches of one level each: after blending nearly the slope again."""
    y, x = np.mgrid[:40, :48]
    slope = (40 + 2 * x + 2 * y).astype(np.uint8)[..., None]
    filled = hole(40, 48)
    flat = slope.reshape(5, 8, 6, 8, 1).mean(axis=(1, 3), keepdims=True).repeat(8, 1).repeat(8, 3).reshape(40, 48, 1)
    blocky = np.where(filled[..., None], flat, slope).astype(np.uint8)
    made = blended(blocky, filled, 8, 255)
    assert np.array_equal(made[~filled], slope[~filled])
    error = [np.abs(p[filled].astype(float) - slope[filled]).mean() for p in (blocky, made)]
    assert error[1] < 0.6 * error[0]
    step = np.abs(np.diff(made.astype(int), axis=1))[filled[:, 1:] | filled[:, :-1]]
    assert step.max() < 10 < np.abs(np.diff(blocky.astype(int), axis=1)).max()


def test_what_fits_already_stays() -> None:
    y, x = np.mgrid[:40, :48]
    slope = (40 + 2 * x + y).astype(np.uint16)[..., None].repeat(3, axis=2)
    assert np.abs(blended(slope, hole(40, 48), 8, 255).astype(int) - slope).max() <= 1


@given(st.integers(0, 1000), st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3]), st.floats(0, 1))
@settings(deadline=None, max_examples=50)
def test_known_pixels_and_shapes_stay(seed: int, rows: int, columns: int, channels: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, 256, (rows, columns, channels), dtype=np.uint8)
    filled = rng.random((rows, columns)) < share
    made = blended(levels, filled, 8, 255)
    assert made.dtype == levels.dtype
    assert np.array_equal(made[~filled], levels[~filled])
