"""The loss is the mean nats of what was hidden, whatever part of a batch it is computed on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.tokens import Mask, collate
from maskwright.tokens.masking import at_random
from maskwright.training.objective import masked_loss
from tests.nets.small import batch, net, record

NET = net()
whole = st.lists(st.integers(2, 40), min_size=1, max_size=5)


@given(whole, st.integers(0, 9))
@settings(deadline=None, max_examples=8)
def test_the_loss_is_the_weighted_mean_of_the_nats_of_what_was_hidden(sizes: list[int], seed: int) -> None:
    made = batch(*(record(n, number) for number, n in enumerate(sizes)))
    mask = at_random(made, 0.3, seed)
    mask = replace(mask, weight=np.random.default_rng(seed).uniform(0.5, 2.0, len(mask.target)).astype(np.float32))
    out = masked_loss(NET, made, mask, float(mask.weight.sum()))
    each = out["each"].double().numpy()
    assert each.shape == mask.target.shape
    assert (each > 0).all()
    assert float(out["nats"].detach()) == pytest.approx(np.average(each, weights=mask.weight), rel=1e-5)
    assert float(out["loss"].detach()) == float(out["nats"].detach())  # a head of tokens learns by nothing else
    assert out["loss"].requires_grad


@given(whole, st.integers(1, 4))
@settings(deadline=None, max_examples=8)
def test_parts_of_a_batch_have_losses_that_add_up_to_that_of_the_whole(sizes: list[int], cut: int) -> None:
    records = [record(n, number) for number, n in enumerate([*sizes, 5])]
    parts = [(part, range(first, first + len(part))) for first, part in ((0, records[:cut]), (cut, records[cut:])) if part]
    made = [collate(part, keys) for part, keys in (*parts, (records, range(len(records))))]
    masks = [at_random(one, 0.3, 1) for one in made]
    total = float(masks[-1].weight.sum())
    *some, all_ = (float(masked_loss(NET, one, mask, total)["nats"]) for one, mask in zip(made, masks, strict=True))
    assert sum(some) == pytest.approx(all_, rel=1e-4)


def test_where_nothing_was_hidden_the_loss_is_nothing_and_can_be_gone_back_from() -> None:
    made, trained = batch(record(20, 0)), net()
    nothing = Mask(hidden=np.zeros(20, dtype=bool), target=np.zeros(0, dtype=np.int64), weight=np.zeros(0, dtype=np.float32))
    out = masked_loss(trained, made, nothing, 0.0)
    out["loss"].backward()
    assert (float(out["loss"].detach()), float(out["nats"]), len(out["each"])) == (0.0, 0.0, 0)
    assert all(p.grad is None or torch.equal(p.grad, torch.zeros_like(p)) for p in trained.parameters())
