"""A fresh net's first heads read the neighbours, wherever they stand and whatever they are."""

from __future__ import annotations

import pytest
import torch

from maskwright.nets.neighbour_heads import DISTANCES, peak, set_neighbour_heads
from maskwright.nets.positions import angles, rotate
from tests.nets.small import net


@pytest.mark.parametrize("depth", [32, 64])
@pytest.mark.parametrize("distance", [1, -1])
@pytest.mark.parametrize("base", [10_000.0, 160_000.0])
def test_a_query_finds_the_token_at_its_distance(depth: int, distance: int, base: float) -> None:
    query, key = peak(depth, base, distance)
    turned = rotate(
        torch.stack((query, key))[None, :, None].repeat(200, 1, 1, 1), *angles(torch.arange(200)[:, None], depth, base)
    )
    scores = turned[:, 0, 0] @ turned[:, 1, 0].T * depth**-0.5
    weights = scores.softmax(-1)
    for i in range(1, 199):
        assert int(weights[i].argmax()) == i + distance
        assert weights[i, i + distance] > 0.5


def test_the_first_heads_of_a_net_read_dimension_0_alone() -> None:
    made = net()
    set_neighbour_heads(made.encoder, 3.0)
    config = made.config
    first = made.encoder.layers[0].attn.Wqkv.weight.view(3, config.heads, -1, config.width)
    for head in range(min(len(DISTANCES), config.heads)):
        assert first[:2, head, :, 1:].abs().max() == 0
        assert first[:2, head, :, 0].abs().max() > 0
        assert first[2, head].abs().max() > 0  # values are left as they were drawn
