"""Outlines say which way edges run and where; light, contrast and what is not known change nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.nets.heads.hog import BINS, CELLS, HOG_SIZE, hog


def patch(height: np.ndarray) -> torch.Tensor:  # type: ignore[type-arg]
    return torch.from_numpy(height.astype(np.float32)).reshape(1, -1)


def everywhere(pixels: int) -> torch.Tensor:
    return torch.ones(1, pixels, dtype=torch.bool)


@pytest.mark.parametrize("degrees", [0, 20, 40, 100, 160])
@pytest.mark.parametrize("side", [2, 3, 8, 12])
def test_a_slope_stands_in_the_bin_of_its_direction(degrees: int, side: int) -> None:
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    turn = np.deg2rad(degrees)
    for sign in (1, -1):  # light to dark is dark to light
        found = hog(patch(sign * 0.5 * (np.cos(turn) * x + np.sin(turn) * y)), everywhere(side**2)).view(-1, BINS)
        bins = found.sum(0)
        assert float(bins[degrees * BINS // 180] / bins.sum()) == pytest.approx(1, abs=1e-3)
        if side % 2 == 0:  # else the cells below and to the right are smaller
            torch.testing.assert_close(found[0], found[-1])


def test_an_edge_stands_in_the_cells_that_it_runs_through() -> None:
    picture = np.full((8, 8), -0.5)
    picture[:4, 2:] = 0.5
    cells = hog(patch(picture), everywhere(64)).view(CELLS, CELLS, BINS)
    assert cells[0, 0, 0] > 3 * cells[1, 0, 0]  # upright, above left
    assert cells[0, 1].argmax() == BINS // 2  # lying, above right
    assert float(cells[1, 1, 0]) == 0


@given(st.integers(0, 20), st.sampled_from([1, 2, 3, 5, 8]), st.sampled_from([1, 3, 4]), st.floats(-0.2, 0.2))
@settings(deadline=None, max_examples=40)
def test_light_changes_nothing_and_lengths_are_one_at_most(seed: int, side: int, channels: int, lighter: float) -> None:
    noise = torch.Generator().manual_seed(seed)
    values = torch.rand(4, side * side * channels, generator=noise) - 0.5
    known = torch.ones(4, side * side, dtype=torch.bool)
    found = hog(values, known)
    assert found.shape == (4, HOG_SIZE)
    assert (found >= 0).all()
    assert (found.norm(dim=1) <= 1).all()
    torch.testing.assert_close(hog(values + lighter, known), found, atol=1e-4, rtol=1e-3)
    stronger = hog(values * 2, known)
    torch.testing.assert_close(
        stronger / stronger.norm().clamp(min=1e-6), found / found.norm().clamp(min=1e-6), atol=0.1, rtol=0
    )


@given(st.integers(0, 20))
@settings(deadline=None, max_examples=20)
def test_what_is_not_known_counts_for_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = torch.from_numpy(rng.uniform(-1, 1, (5, 64 * 3)).astype(np.float32))
    known = torch.from_numpy(rng.random((5, 64)) < 0.8)
    other = torch.where(known.repeat_interleave(3, dim=1), values, -values)
    torch.testing.assert_close(hog(values, known), hog(other, known))


def test_a_patch_at_a_ragged_edge_is_as_clear_as_a_whole_one() -> None:
    slope = patch(np.mgrid[0:8, 0:8][1] * 0.1)
    part = torch.arange(64)[None] < 24  # three rows
    assert float(hog(slope, part).norm()) == pytest.approx(float(hog(slope, everywhere(64)).norm()), abs=0.15)


def test_flat_patches_have_none() -> None:
    assert hog(torch.full((2, 48), 0.3), torch.ones(2, 16, dtype=torch.bool)).abs().max() == 0
