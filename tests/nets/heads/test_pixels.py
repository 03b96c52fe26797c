"""Probabilities of patches are exact: they sum to one, draws follow them, and what is not known counts for nothing."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.nets.heads.hog import HOG_SIZE, hog
from maskwright.nets.heads.pixels import SHARPEST, WIDEST, Chain, Levels


def levels(values: int, levels: int, channels: int = 1, positions: int = 1, seed: int = 0) -> Levels:
    noise = torch.Generator().manual_seed(seed)
    mean, scale = (torch.randn(positions, values, generator=noise) for _ in range(2))
    scale = (scale - 1).clamp(SHARPEST, WIDEST)
    chain = Chain(*(torch.randn(values, values, generator=noise) for _ in range(2)))
    return Levels(mean, scale, scale, chain, levels, channels)


@given(st.integers(0, 50), st.sampled_from([(1, 256), (2, 16), (3, 6), (4, 2)]), st.sampled_from([0.3, 1.0, 3.0]))
@settings(deadline=None, max_examples=40)
def test_probabilities_of_all_patches_sum_to_one(seed: int, size: tuple[int, int], temperature: float) -> None:
    values, count = size
    every = np.array(list(itertools.product(range(count), repeat=values)), dtype=np.int32)
    made = levels(values, count, seed=seed).tempered(temperature).take([0] * len(every))
    nats = made.nll({"pixels": every, "known": np.ones(every.shape, dtype=bool)})
    assert (nats >= 0).all()
    assert float((-nats.double()).exp().sum()) == pytest.approx(1.0, abs=1e-4)


def test_calm_draws_stay_near_where_others_wander_off() -> None:
    """Surprises that widen what follows feed themselves."""
    values, many = 48, 400
    follows = torch.full((values, values), 0.9).tril(-1).triu(-1)
    mean, scale = torch.zeros(many, values), torch.full((many, values), -4.0)
    made = Levels(mean, scale, scale + 1, Chain(follows, torch.full((values, values), 0.1)), 256, 1)
    drawn = [one.sample(np.random.default_rng(0))["pixels"].float() for one in (made, made.calm(0.7))]
    wild, calm = ((one - 127.5).abs() / 127.5 for one in drawn)
    assert float(wild.max()) == 1.0
    assert float(wild[:, -8:].mean()) > 0.3
    assert float(calm.max()) < 4 * 0.7 * np.exp(-3.0) + 1 / 127
    assert float(calm[:, -8:].std()) > 0.01  # and are no means


class _Unlucky:
    """Every value that may come from anywhere does."""

    def random(self, size: tuple[int, ...]) -> np.ndarray[Any, Any]:
        chance = np.full(size, 0.5)
        chance[:, 1] = 0
        return chance

    def integers(self, low: int, high: int, size: tuple[int, ...]) -> np.ndarray[Any, Any]:
        return np.zeros(size, dtype=np.int64)


def test_calm_draws_have_no_specks() -> None:
    """Of half a million values one is a speck that everybody sees."""
    made = Levels(torch.zeros(3, 4), *[torch.full((3, 4), -4.0)] * 2, Chain(*[torch.zeros(4, 4)] * 2), 256, 1)
    assert int(made.sample(_Unlucky())["pixels"].max()) == 0
    assert torch.equal(made.calm(1.0).sample(_Unlucky())["pixels"], made.mode()["pixels"])


def test_a_level_far_from_the_mean_still_has_a_finite_price() -> None:
    sharp = torch.full((1, 1), SHARPEST)
    made = Levels(torch.full((1, 1), -1.0), sharp, sharp, Chain(torch.zeros(1, 1), torch.zeros(1, 1)), 65_536, 1)
    far = made.nll({"pixels": np.array([[65_535]]), "known": np.ones((1, 1), dtype=bool)})
    assert 10 < float(far) < 25


def test_draws_follow_the_probabilities() -> None:
    made = levels(2, 4, seed=3)
    every = np.array(list(itertools.product(range(4), repeat=2)), dtype=np.int32)
    expected = (-made.take([0] * 16).nll({"pixels": every, "known": np.ones((16, 2), dtype=bool)})).exp().numpy()
    drawn = made.take([0] * 40_000).sample(np.random.default_rng(0))["pixels"].numpy()
    seen = np.bincount(drawn[:, 0] * 4 + drawn[:, 1], minlength=16) / len(drawn)
    np.testing.assert_allclose(seen, expected, atol=0.01)


def test_what_is_not_known_counts_for_nothing() -> None:
    made = levels(12, 256, channels=3, positions=5)
    rng = np.random.default_rng(0)
    a, b = (rng.integers(0, 256, (5, 12)).astype(np.int32) for _ in range(2))
    known = rng.random((5, 4)) < 0.5
    same = np.repeat(known, 3, axis=1)
    b[same] = a[same]
    torch.testing.assert_close(made.nll({"pixels": a, "known": known}), made.nll({"pixels": b, "known": known}))
    assert (made.nll({"pixels": a, "known": known & False}) == 0).all()


def test_learning_also_asks_for_outlines_and_nats_do_not() -> None:
    plain, rng = levels(48, 256, channels=3, positions=2), np.random.default_rng(0)
    values = {"pixels": rng.integers(0, 256, (2, 48)).astype(np.int32), "known": np.array([[True] * 16, [False] * 16])}
    truth = hog(torch.from_numpy(values["pixels"]) / 127.5 - 1, torch.from_numpy(values["known"]))
    for said, dearer in ((truth, False), (torch.zeros(2, HOG_SIZE), True)):
        made = Levels(plain.mean, plain.log_scale, plain.log_alone, plain.chain, 256, 3, expected=said)
        nats, beside = made.loss(values)
        torch.testing.assert_close(made.nll(values), nats)
        more = beside - plain.loss(values)[1]
        assert (float(more[0]) > 1) == dearer
        assert float(more[1]) == 0  # nothing of it is known


def test_gradients_match_finite_differences() -> None:
    mean, scale = (torch.randn(3, 4, dtype=torch.float64, requires_grad=True) for _ in range(2))
    following, swaying = (torch.randn(4, 4, dtype=torch.float64, requires_grad=True) for _ in range(2))
    pixels = torch.tensor([[0, 7, 3, 1], [7, 7, 0, 0], [2, 5, 4, 6]])

    def nats(mean: torch.Tensor, scale: torch.Tensor, following: torch.Tensor, swaying: torch.Tensor) -> torch.Tensor:
        made = Levels(mean, scale, scale, Chain(following, swaying), 8, 1)
        return sum(made.loss({"pixels": pixels, "known": torch.ones(3, 4, dtype=torch.bool)}))

    assert torch.autograd.gradcheck(nats, (mean, scale, following, swaying), atol=1e-3, rtol=1e-2, eps=1e-4)


@pytest.mark.parametrize("told_at", [[0, 1], [1, 3], [2]])
def test_what_is_told_of_a_patch_moves_the_rest_as_a_normal_distribution_does(told_at: list[int]) -> None:
    made = levels(4, 256, positions=2, seed=5)
    pixels, known = np.array([[200, 10, 90, 140]]), np.zeros((1, 4), dtype=bool)
    known[0, told_at] = True
    rest = [i for i in range(4) if i not in told_at]
    told = made.given([1], pixels, known, np.ones((1, 4), dtype=bool))
    assert torch.equal(told.mean[0], made.mean[0])
    steps = torch.linalg.inv(torch.eye(4) - made.chain.mean.tril(-1))  # values are sums of what is new in each
    covariance = steps @ torch.diag((2 * made.log_scale[1]).exp()) @ steps.T
    apart = torch.from_numpy(pixels[0, told_at]).float() / 127.5 - 1 - made.mean[1, told_at]
    inner, across = covariance[told_at][:, told_at], covariance[rest][:, told_at]
    want = made.mean[1, rest] + across @ torch.linalg.solve(inner, apart)
    torch.testing.assert_close(told.mean[1, rest], want, atol=1e-3, rtol=1e-3)
    drawn = told.take([1] * 50).sample(np.random.default_rng(0))["pixels"]
    assert (drawn[:, told_at] == torch.from_numpy(pixels[0, told_at])).all()
    assert len(torch.unique(drawn[:, rest])) > 1
    other = drawn.clone()
    other[:, told_at] = 0  # what was told costs nothing, and nothing follows what stands there instead
    alike = [told.take([1] * 50).nll({"pixels": p}) for p in (drawn, other)]
    torch.testing.assert_close(*alike)


def test_draws_at_an_edge_follow_the_probabilities_and_end_there() -> None:
    made, there = levels(3, 4, seed=3), np.array([[True, False, True]])
    edge = made.given([0], np.zeros((1, 3), dtype=np.int32), ~np.ones((1, 3), dtype=bool), there)
    every = np.array([[a, 0, b] for a, b in itertools.product(range(4), repeat=2)], dtype=np.int32)
    expected = (-made.take([0] * 16).nll({"pixels": every, "known": there.repeat(16, axis=0)})).exp().numpy()
    drawn = edge.take([0] * 40_000).sample(np.random.default_rng(0))["pixels"].numpy()
    assert (drawn[:, 1] == made.mode()["pixels"][0, 1].item()).all()
    seen = np.bincount(drawn[:, 0] * 4 + drawn[:, 2], minlength=16) / len(drawn)
    np.testing.assert_allclose(seen, expected, atol=0.01)
