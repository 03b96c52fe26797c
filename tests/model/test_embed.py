"""Which cell of a record a token belongs to."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from maskwright.model.embed import cells
from maskwright.tokens import Tokens


def grid(*extents: int) -> Tokens:
    places = np.stack(np.unravel_index(np.arange(int(np.prod(extents))), extents), axis=1)
    known = np.ones(len(places), dtype=bool)
    order = np.arange(len(places))
    return Tokens(values={}, positions=places, kind=0 * order, present=known, maskable=known, unit=order, where=places)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=2), st.integers(1, 4))
def test_cells_are_even_boxes_in_order(extents: list[int], along: int) -> None:
    found = cells(grid(*extents), along).reshape(extents)
    assert found.min() >= 0
    assert found.max() < along ** len(extents)
    apart = np.stack(np.unravel_index(found, (along,) * len(extents)))
    for axis, extent in enumerate(extents):
        line = np.moveaxis(apart[axis], axis, 0).reshape(extent, -1)
        assert (line == line[:, :1]).all()  # a cell's edges run straight through the record
        assert (np.diff(line[:, 0]) >= 0).all()
        apart_from_edges = (2 * np.arange(extent) + 1) * along % (2 * extent) > 0
        mirrored = along - 1 - line[::-1, 0]
        assert np.array_equal(line[apart_from_edges, 0], mirrored[apart_from_edges])
        if extent >= along:
            counts = np.bincount(line[:, 0], minlength=along)
            assert counts.max() - counts.min() <= 2
