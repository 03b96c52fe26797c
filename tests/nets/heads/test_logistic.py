"""Prices of levels, surprises and products with a chain are the same by the kernels and by torch, gradients included."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from maskwright.nets import native
from maskwright.nets.heads import logistic
from maskwright.nets.heads.pixels import WIDEST, placed, sharpest


def drawn(levels: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Values, means near and far, scales from the sharpest to the widest, which are known."""
    chance = torch.Generator().manual_seed(seed)
    shape, least = (5, 67), sharpest(levels)
    x = placed(torch.randint(0, levels, shape, generator=chance), levels)
    scale = torch.rand(shape, generator=chance) * (WIDEST - least) + least
    near = torch.rand(shape, generator=chance) < 0.5
    noise = torch.randn(shape, generator=chance)
    mean = torch.where(near, x + noise * scale.exp(), noise)
    return x, mean, scale, torch.rand(shape, generator=chance) < 0.8


def with_gradients(found: Tensor, *of: Tensor) -> list[Tensor]:
    weight = torch.arange(found.numel(), dtype=found.dtype).reshape(found.shape).cos()
    return [found.detach(), *torch.autograd.grad((found * weight).sum(), of)]


def everything(x: Tensor, mean: Tensor, scale: Tensor, known: Tensor, levels: int) -> list[Tensor]:
    m, s = mean.clone().requires_grad_(), scale.clone().requires_grad_()
    priced = with_gradients(logistic.nats(x, m, s, known, levels), m, s)
    return priced + with_gradients(logistic.surprise(x, m, s, known), m, s)


@given(st.sampled_from([2, 7, 256, 4096, 65_536]), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_kernels_and_torch_agree_on_every_value(levels: int, seed: int) -> None:
    assert native.library()[0] is not None, native.library()[1]
    x, mean, scale, known = drawn(levels, seed)
    found = everything(x, mean, scale, known, levels)
    with native.using(False):
        expected = everything(x, mean, scale, known, levels)
    far, sharp = (x - mean).abs() / scale.exp(), (-scale).exp()
    apart = 1e-5 + 2e-6 * far  # by a few roundings of how many widths a value is away
    for close, one, other in zip([apart, apart * sharp, apart * (1 + far)] * 2, found, expected, strict=True):
        assert ((one - other).abs() <= close).all()
        assert (one[~known] == 0).all()


@given(st.sampled_from([2, 256, 4096]), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_nats_are_as_exact_as_fp32_can_say_where_a_value_lies(levels: int, seed: int) -> None:
    x, mean, scale, known = drawn(levels, seed)
    exact = logistic.nats(x.double(), mean.double(), scale.double(), known, levels)
    rounding = 2.5e-7 * (2 + mean.abs()) * (-scale.double()).exp()
    assert ((logistic.nats(x, mean, scale, known, levels) - exact).abs() <= 1e-5 + 1e-6 * exact + rounding).all()


def test_the_kernels_ask_for_no_gradient_that_nobody_wants() -> None:
    x, mean, scale, known = drawn(256, 0)
    alone = logistic.nats(x, mean, scale, known, 256)
    torch.testing.assert_close(alone, logistic.nats(x, mean.requires_grad_(), scale, known, 256).detach(), atol=1e-6, rtol=0)
    assert not alone.requires_grad


@pytest.mark.parametrize("values", [1, 3, 64, 127, 128, 200, 432])
def test_a_chain_is_a_product_with_what_is_below_its_diagonal(values: int) -> None:
    chance = torch.Generator().manual_seed(values)
    x, weight = torch.randn(9, values, generator=chance), torch.randn(values, values, generator=chance)
    pairs = []
    for product in (logistic.chained, F.linear):
        a, b = x.clone().requires_grad_(), weight.clone().requires_grad_()
        pairs.append(with_gradients(product(a, b.tril(-1)), a, b))
    for found, want in zip(*pairs, strict=True):
        torch.testing.assert_close(found, want, atol=1e-4, rtol=1e-4)
