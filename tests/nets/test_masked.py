"""The decoder: what is hidden never enters the encoder, and answers depend on what is seen alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from maskwright.errors import RecipeError
from maskwright.nets import native
from maskwright.nets.encoder import NetConfig
from maskwright.nets.heads.token import TokenHead, TokenInput
from maskwright.nets.masked import MaskedNet
from maskwright.tokens import Batch
from tests.nets.small import SMALL, batch, record

CONFIG = replace(SMALL, decoder_layers=2, global_every=1)


@pytest.fixture
def net() -> MaskedNet:
    torch.manual_seed(0)
    inputs = TokenInput(96, CONFIG, 3)
    assert CONFIG.decoder is not None
    return MaskedNet(CONFIG, inputs, TokenHead(inputs, CONFIG.decoder)).eval()


def hidden(b: Batch, share: float = 0.5) -> np.ndarray:  # type: ignore[type-arg]
    return np.random.default_rng(0).random(len(b)) < share


@torch.no_grad()
def test_the_encoder_sees_nothing_hidden(net: MaskedNet) -> None:
    b = batch(record(40, 1), record(7, 2))
    out = hidden(b)
    changed = replace(b, values={"id": np.where(out, 5 + (b.values["id"] + 1) % 90, b.values["id"])})
    at = np.flatnonzero(out)
    one, two = (net(x, out, at).log_probs() for x in (b, changed))
    assert torch.equal(one, two)
    states = net.states(b, out)
    assert (states[torch.from_numpy(out)] == 0).all()
    seen = net.encoder.layers[0].attn.Wqkv
    counted: list[int] = []
    seen.register_forward_hook(lambda module, given, result: counted.append(len(given[0])))
    net(b, out, at)
    assert counted == [int((~out).sum())]


@torch.no_grad()
def test_a_record_is_answered_alike_in_any_company(net: MaskedNet) -> None:
    records = [record(n, n) for n in (40, 7, 90, 1)]
    together = batch(*records)
    out = hidden(together)
    whole = net(together, out, np.flatnonzero(out)).log_probs()
    first = 0
    for alone, begin in zip(records, together.cu_seqlens, strict=False):
        own = out[begin : begin + len(alone)]
        if own.any():
            found = net(batch(alone), own, np.flatnonzero(own)).log_probs()
            assert torch.allclose(found, whole[first : first + len(found)], atol=1e-5)
            first += len(found)


@torch.no_grad()
def test_a_record_of_which_nothing_is_seen(net: MaskedNet) -> None:
    b = batch(record(5, 1))
    out = np.ones(5, dtype=bool)
    assert net(b, out, np.arange(5)).log_probs().isfinite().all()
    assert (net.states(b, out) == 0).all()
    with torch.enable_grad():
        net(b, out, np.arange(5)).nll({"id": b.values["id"]}).sum().backward()
    untouched = [name for name, p in net.named_parameters() if p.grad is None]
    assert untouched == []  # several processes wait for each other's gradients of every parameter
    with native.using(False), torch.no_grad():
        assert net(b, out, np.arange(5)).log_probs().isfinite().all()


@torch.no_grad()
def test_where_something_is_hidden_is_known(net: MaskedNet) -> None:
    b = batch(record(20, 3))
    out = np.zeros(20, dtype=bool)
    out[[4, 15]] = True
    found = net(b, out, np.array([4, 15])).log_probs()
    assert (found[0] - found[1]).abs().max() > 1e-3


def test_shapes_that_no_decoder_has() -> None:
    with pytest.raises(RecipeError, match="decoder"):
        NetConfig(decoder_layers=1, decoder_width=33)
    with pytest.raises(RecipeError, match="positions"):
        NetConfig(decoder_layers=1, positions=300)
    with pytest.raises(RecipeError, match="grid"):
        NetConfig(grid=4, width=18, heads=1)
