"""The categorical distribution is one: it sums to one, whatever was done to it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from maskwright.nets.heads.token import Categorical


def categorical(m: int = 7, v: int = 40) -> Categorical:
    g = torch.Generator().manual_seed(0)
    return Categorical(torch.randn(m, 16, generator=g), torch.randn(v, 16, generator=g), torch.randn(v, generator=g))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_it_sums_to_one_over_all_values(temperature: float) -> None:
    allowed = torch.ones(1, 40, dtype=torch.bool)
    allowed[:, 30:] = False
    for made in (categorical().tempered(temperature), categorical().tempered(temperature).restricted(allowed)):
        everything = torch.stack([made.nll({"id": torch.full((7,), v)}) for v in range(40)])
        assert (everything >= -1e-6).all()
        torch.testing.assert_close((-everything).exp().sum(0), torch.ones(7))


def test_mode_candidates_region_and_certainty_agree() -> None:
    made = categorical()
    values, log_probs = made.candidates(40)
    assert torch.equal(values["id"][:, 0], made.mode()["id"])
    torch.testing.assert_close(log_probs[:, 0].exp(), made.certainty())
    assert all(len(set(row.tolist())) == 40 for row in values["id"])
    for row, region in enumerate(made.region(3.0)):
        expected = values["id"][row][-log_probs[row] <= 3.0]
        assert region["id"].tolist() == expected.tolist()


def test_samples_follow_the_probabilities() -> None:
    one = categorical().take([2])
    many = Categorical(one.features.expand(20000, -1), one.weight, one.bias)
    drawn = many.sample(np.random.default_rng(0))["id"]
    share = torch.bincount(drawn, minlength=40) / 20000
    torch.testing.assert_close(share, one.log_probs()[0].exp(), atol=0.015, rtol=0)


def test_excluded_values_are_never_drawn() -> None:
    allowed = torch.zeros(1, 40, dtype=torch.bool)
    allowed[:, [3, 8]] = True
    made = categorical().restricted(allowed)
    assert set(made.candidates(2)[0]["id"].flatten().tolist()) == {3, 8}
    assert set(made.sample(np.random.default_rng(1))["id"].tolist()) <= {3, 8}
