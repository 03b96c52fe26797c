"""Turned by their positions, two tokens know how far they lie apart, along every axis, and no more."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from maskwright.nets.positions import Grid, angles, rotate

places = st.lists(st.integers(0, 200), min_size=1, max_size=3)


def turned(vectors: Tensor, at: list[int], depth: int) -> Tensor:
    """(n, D) vectors, all at one place, as queries."""
    cos, sin = angles(torch.tensor([at] * len(vectors)), depth, 100.0)
    return rotate(vectors[:, None, None].expand(-1, 2, 1, -1), cos, sin)[:, 0, 0]


@given(
    places, places, st.lists(st.integers(0, 200), min_size=3, max_size=3), st.sampled_from([4, 12, 32]), st.integers(0, 9)
)
@settings(deadline=None)
def test_products_of_turned_vectors_depend_on_their_distance_alone(
    one: list[int], other: list[int], moved: list[int], depth: int, seed: int
) -> None:
    axes = min(len(one), len(other))
    a, b = torch.randn(2, 5, depth, generator=torch.Generator().manual_seed(seed))
    by = lambda at: [n + m for n, m in zip(at[:axes], moved, strict=False)]  # noqa: E731
    near = (turned(a, one[:axes], depth) * turned(b, other[:axes], depth)).sum(1)
    far = (turned(a, by(one), depth) * turned(b, by(other), depth)).sum(1)
    torch.testing.assert_close(near, far, atol=2e-3, rtol=1e-3)
    torch.testing.assert_close(turned(a, one, depth).norm(dim=1), a.norm(dim=1))


def test_nothing_is_turned_at_the_beginning_and_each_axis_turns_pairs_of_its_own() -> None:
    vectors = torch.randn(3, 12, generator=torch.Generator().manual_seed(0))
    assert torch.equal(turned(vectors, [0, 0], 12), vectors)
    moved = [(turned(vectors, at, 12) != vectors).any(0).reshape(2, 6) for at in ([3, 0], [0, 3])]
    for half in range(2):  # dimension i is turned with i + 6, and the axes take turns at the pairs
        assert moved[0][half].tolist() == [True, False] * 3
        assert moved[1][half].tolist() == [False, True] * 3


def test_fixed_positions_are_sines_and_cosines_of_the_column_and_then_the_row() -> None:
    table = Grid(4, 16).table[0]
    rate = 10_000.0 ** (-np.arange(4) / 4)
    assert (table[0] == 0).all()
    for row, column in ((0, 0), (1, 3), (3, 2)):
        want = [f(place * rate) for place in (column, row) for f in (np.sin, np.cos)]
        assert np.allclose(table[1 + 4 * row + column], np.concatenate(want), atol=1e-6)


def test_a_grid_gives_every_place_a_vector_of_its_own_and_the_frame_none() -> None:
    grid = Grid(5, 24)
    every = torch.cartesian_prod(torch.arange(5), torch.arange(5))
    found = grid(every, torch.zeros(25, dtype=torch.int64))
    assert torch.equal(found, grid.table[0, 1:])
    assert len(torch.unique(found, dim=0)) == 25
    assert (grid(every, torch.ones(25, dtype=torch.int64)) == 0).all()
    assert list(grid.parameters()) == []
