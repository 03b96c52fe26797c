"""Windows cover a record of any extent, and every token is answered from the middle of one."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.model.windows import around, windows
from maskwright.tokens import grid

shapes = st.one_of(st.tuples(st.integers(0, 300)), st.tuples(st.integers(1, 25), st.integers(1, 25)))


@given(shapes, st.integers(4, 60))
@settings(deadline=None)
def test_windows_cover_everything_and_answer_from_the_middle(shape: tuple[int, ...], most: int) -> None:
    cuts = windows(shape, most)
    assert len(cuts.owner) == np.prod(shape)
    reach = []
    for own in cuts.tokens:
        assert len(own) <= most
        assert (np.diff(own) > 0).all()
        place = np.stack(np.unravel_index(own, shape), axis=1) if len(own) else np.zeros((1, len(shape)))
        reach.append((place.min(0), place.max(0)))
    for token, owner in enumerate(cuts.owner):
        assert token in cuts.tokens[owner]
        place = np.array(np.unravel_index(token, shape))
        edge = lambda w: np.minimum(place - reach[w][0], reach[w][1] - place).min()  # noqa: B023, E731
        assert edge(owner) >= max(edge(w) for w, own in enumerate(cuts.tokens) if token in own) - 1


@given(shapes.filter(all), st.integers(4, 60), st.data())
def test_a_window_around_holds_what_was_asked(shape: tuple[int, ...], most: int, data: st.DataObject) -> None:
    (side,) = grid.sides(np.array([shape]), most)
    first = [data.draw(st.integers(0, n - 1)) for n in shape]
    last = [
        data.draw(st.integers(f, min(f + max(int(s) // 2, 1) - 1, n - 1)))
        for f, s, n in zip(first, side, shape, strict=True)
    ]
    asked = np.unique([np.ravel_multi_index(corner, shape) for corner in (first, last)])
    own = around(shape, asked, most)
    assert set(asked) <= set(own)
    assert len(own) == min(np.prod(side), np.prod(shape))
    assert (np.diff(own) > 0).all()
