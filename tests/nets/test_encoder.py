"""The encoder: what it gives at some tokens is what it gives at all."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.tokens import HeadContext
from tests.nets.small import batch, net, record


@given(st.lists(st.integers(1, 70), min_size=1, max_size=5))
@settings(deadline=None)
def test_states_at_some_tokens_are_those_of_all(lengths: list[int]) -> None:
    made, flat = net(), batch(*(record(n, seed) for seed, n in enumerate(lengths)))
    rng = np.random.default_rng(lengths)
    hidden = rng.random(len(flat)) < 0.3
    at = np.flatnonzero(rng.random(len(flat)) < 0.5)
    with torch.no_grad():
        whole = made.head(made.states(flat, hidden)[at], torch.zeros(len(at)), HeadContext(flat, hidden, at)).logits()
        torch.testing.assert_close(made(flat, hidden, at).logits(), whole, atol=1e-5, rtol=1e-5)
