"""Muon's matrices come out orthogonal, and a step goes where the gradient says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.nets.masked import MaskedNet
from maskwright.tokens.masking import at_random
from maskwright.training.objective import masked_loss
from maskwright.training.optimiser import Optimiser, orthogonal
from tests.nets.small import batch, net, record


@pytest.mark.parametrize("shape", [(3, 20, 20), (2, 16, 40), (2, 40, 16)])
def test_orthogonal_makes_singular_values_of_one(shape: tuple[int, ...]) -> None:
    turned = orthogonal(torch.randn(shape, generator=torch.Generator().manual_seed(0)))
    values = torch.linalg.svdvals(turned)
    assert values.min() > 0.3
    assert values.max() < 1.4


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@given(values=st.lists(st.floats(0.0, 1.0), min_size=8, max_size=8))
@settings(deadline=None, max_examples=60)
def test_orthogonal_never_explodes(dtype: torch.dtype, values: list[float]) -> None:
    """Rounding lifts some singular values over the edge of a polynomial's range: the next one must bear that."""
    noise = torch.Generator().manual_seed(0)
    left, right = (torch.linalg.qr(torch.randn(n, n, generator=noise)).Q for n in (8, 24))
    made = left @ torch.diag(torch.tensor([1.0, 0.376, 0.75, *values[:5]])) @ right[:8]
    turned = orthogonal(made[None].to(dtype)).float()
    assert torch.linalg.svdvals(turned).max() < 1.5


def backward(made: MaskedNet) -> float:
    given = batch(record(40, 1), record(25, 2))
    out = masked_loss(made, given, at_random(given, 0.3, 1), 1.0)
    out["loss"].backward()
    return float(out["nats"])


@given(st.floats(0.01, 1e6))
@settings(deadline=None, max_examples=8)
def test_clipped_gradients_are_as_long_as_allowed_and_point_where_they_did(most: float) -> None:
    made = net()
    backward(made)
    before = torch.cat([p.grad.flatten().clone() for p in made.parameters() if p.grad is not None])
    norm = Optimiser(made, 0.0, torch.float32).clip(most)
    after = torch.cat([p.grad.flatten() for p in made.parameters() if p.grad is not None])
    assert norm == pytest.approx(float(before.norm()), rel=1e-4)
    assert float(after.norm()) == pytest.approx(min(norm, most), rel=1e-3)
    assert float(torch.cosine_similarity(before, after, dim=0)) == pytest.approx(1.0, abs=1e-4)


def test_steps_lower_the_loss_move_every_parameter_and_leave_no_gradient() -> None:
    made = net()
    optimiser, before = (
        Optimiser(made, 0.0, torch.float32),
        {name: p.detach().clone() for name, p in made.named_parameters()},
    )
    losses = []
    for _ in range(4):
        losses.append(backward(made))
        optimiser.step(3e-3)
        assert all(p.grad is None for p in made.parameters())
    assert list(np.argsort(losses)) == [3, 2, 1, 0]
    assert [name for name, p in made.named_parameters() if torch.equal(p, before[name])] == []
    assert {name.rpartition(".")[0] for name in optimiser.state} == set(before)


def test_weight_decay_is_for_the_matrices_of_the_encoder_alone() -> None:
    plain, decayed = net(), net()
    for made, share in ((plain, 0.0), (decayed, 0.5)):
        backward(made)
        Optimiser(made, share, torch.float32).step(0.1)
    changed = {n for (n, a), b in zip(plain.named_parameters(), decayed.parameters(), strict=True) if not torch.equal(a, b)}
    assert changed == {n for n, p in plain.named_parameters() if p.dim() == 2 and n.startswith("encoder.")}
