"""A second task moves what it shares with the first by as much as is asked for, whatever its weight."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.nets.heads.gradient_balance import balanced_gradients


def moved(x: torch.Tensor, first: torch.Tensor, second: torch.Tensor, times: float = 1.0) -> torch.Tensor:
    """The gradient at x, where the tasks have these."""
    own = x.clone().requires_grad_()
    a, b = balanced_gradients(own, times)
    return torch.autograd.grad((a * first).sum() + (b * second).sum(), own)[0]


@given(st.integers(0, 1000), st.floats(0.1, 1e6), st.floats(0.1, 5), st.integers(1, 9))
@settings(deadline=None, max_examples=40)
def test_the_weight_of_the_second_changes_nothing(seed: int, weight: float, times: float, rows: int) -> None:
    x, first, second = torch.randn(3, rows, 8, generator=torch.Generator().manual_seed(seed))
    plain = moved(x, first, second, times)
    torch.testing.assert_close(moved(x, first, second * weight, times), plain)
    torch.testing.assert_close((plain - first).norm(), times * first.norm())
    torch.testing.assert_close(plain, first + second * (times * first.norm() / second.norm()))


@pytest.mark.parametrize(("first", "second"), [(0.0, 1.0), (1.0, 0.0), (0.0, 0.0)])
def test_what_has_no_gradient_moves_nothing(first: float, second: float) -> None:
    x = torch.randn(3, 8)
    torch.testing.assert_close(moved(x, torch.full_like(x, first), torch.full_like(x, second)), torch.full_like(x, first))


def test_noise_that_is_left_of_a_solved_task_stays_small() -> None:
    x, first, second = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0))
    assert float((moved(x, first, second * 1e-6) - first).norm() / first.norm()) < 0.01


def test_a_task_that_nothing_asks_for_is_none() -> None:
    x = torch.randn(3, 8, requires_grad=True)
    for one in range(2):
        assert torch.equal(torch.autograd.grad(balanced_gradients(x, 3.0)[one].sum(), x)[0], torch.ones_like(x))
