"""A linear map of patches, and a squared error, as ViT-MAE has them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.nets.encoder import NetConfig
from maskwright.nets.heads.vit_mae import Around, Colours, Squared, VitInput, moments
from maskwright.tokens.grid import places

shares = st.lists(st.floats(0.05, 0.95), min_size=1, max_size=3)


@given(shares, st.sampled_from([2, 256, 65_536]), st.integers(0, 9))
@settings(deadline=None, max_examples=40)
def test_levels_come_back_from_their_normalised_form(mean: list[float], levels: int, seed: int) -> None:
    colours = Colours(mean, [share / 3 for share in mean], levels, 4)
    level = torch.randint(0, levels, (5, 4 * len(mean)), generator=torch.Generator().manual_seed(seed))
    expected = level.float() / (levels - 1) * 2 - 1
    torch.testing.assert_close(colours.placed(colours.normalised(level)), expected, atol=1e-5, rtol=1e-5)


@given(st.integers(0, 99), st.floats(0.1, 1))
@settings(deadline=None, max_examples=40)
def test_mean_and_deviation_are_those_of_what_is_known(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    pixels, known = rng.normal(size=(3, 48)).astype(np.float32), rng.random((3, 48)) < share
    known[:, :2] = True
    found = moments(torch.from_numpy(np.where(known, pixels, 1e3)), torch.from_numpy(known))
    for row in range(3):
        own = pixels[row, known[row]].astype(np.float64)
        assert float(found.mean[row]) == pytest.approx(own.mean(), abs=1e-4)
        assert float(found.deviation[row]) == pytest.approx(np.sqrt(own.var(ddof=1) + 1e-6), rel=1e-3)


@torch.no_grad()
def test_patches_go_in_as_a_convolution_reads_the_picture() -> None:
    torch.manual_seed(0)
    patch, along, config = 4, 3, NetConfig(width=16, heads=2, grid=3, length=10)
    inputs = VitInput(patch, 3, Colours([0.5, 0.4, 0.3], [0.2] * 3, 256, patch**2), config)
    picture = torch.randint(0, 256, (along * patch, along * patch, 3))
    pixels = picture.view(along, patch, along, patch, 3).permute(0, 2, 1, 3, 4).reshape(9, -1)
    at, kind, shown = torch.from_numpy(places(np.array([[3, 3]]))), torch.zeros(9, dtype=torch.int64), torch.arange(9) != 4
    values = {"pixels": pixels, "known": torch.ones(9, patch**2, dtype=torch.bool)}
    found = inputs(values, kind, at, shown, torch.float32) - inputs.places(at, kind)
    normal = (picture / 255 - torch.tensor([0.5, 0.4, 0.3])) / 0.2
    expected = inputs.projection(normal.permute(2, 0, 1)[None])[0].flatten(1).T
    torch.testing.assert_close(found[shown], expected[shown], atol=1e-4, rtol=1e-4)
    assert (found[4] == 0).all()  # of what is hidden nothing goes in


@pytest.mark.parametrize("normalised", [False, True])
def test_the_loss_is_the_mean_square_of_what_is_known(normalised: bool) -> None:
    noise = torch.Generator().manual_seed(0)
    predicted, colours = torch.randn(6, 12, generator=noise), Colours([0.5] * 3, [0.25] * 3, 256, 4)
    around = Around(*(torch.ones(6, 1) for _ in range(3))) if normalised else None
    made = Squared(predicted, colours, 3, around)
    pixels = torch.randint(0, 256, (6, 12), generator=noise)
    known = torch.rand(6, 4, generator=noise) < 0.7
    known[:, 0] = True
    loss, rest = made.loss({"pixels": pixels, "known": known})
    each = known.repeat_interleave(3, dim=1)
    truth = colours.normalised(pixels)
    if normalised:
        own = moments(truth, each)
        truth = (truth - own.mean) / own.deviation
    expected = torch.stack([(p - t)[k].square().mean() for p, t, k in zip(predicted, truth, each, strict=True)])
    torch.testing.assert_close(loss, expected)
    assert (rest == 0).all()
    other = torch.where(each, pixels, 255 - pixels)
    torch.testing.assert_close(made.loss({"pixels": other, "known": known})[0], loss)
