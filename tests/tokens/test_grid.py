"""Boxes in grids: they fit, they lie where they should, and classes of a lattice lie far apart."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.tokens.grid import Array, cells, lattice_steps, places, sides

grids = st.integers(1, 3).flatmap(
    lambda axes: st.lists(st.tuples(*[st.integers(1, (400, 30, 9)[axes - 1])] * axes), min_size=1, max_size=5)
)


@st.composite
def boxes(draw: st.DrawFn) -> tuple[Array, Array, Array]:
    """Extents of grids, and the corner and the sides of a box in each."""
    extents = draw(grids)
    spans = [[sorted((draw(st.integers(0, n)), draw(st.integers(0, n)))) for n in shape] for shape in extents]
    at = np.array(spans).reshape(len(extents), -1, 2)
    return np.array(extents), at[..., 0], at[..., 1] - at[..., 0]


@given(grids, st.integers(-3, 500))
@settings(deadline=None, max_examples=40)
def test_a_box_has_as_many_cells_as_it_may_and_a_longer_side_would_be_too_much(
    extents: list[tuple[int, ...]], most: int
) -> None:
    shapes = np.array(extents)
    found = sides(shapes, most)
    assert (found >= 1).all()
    assert (found <= shapes).all()
    assert (found.prod(axis=1) <= max(most, 1)).all()
    for row, axis in zip(*np.nonzero(found < shapes), strict=True):
        longer = found[row].copy()
        longer[axis] += 1
        assert longer.prod() > most


@given(grids, st.integers(1, 500))
@settings(deadline=None, max_examples=40)
def test_a_grid_has_its_box_whatever_stands_beside_it_and_however_it_is_turned(
    extents: list[tuple[int, ...]], most: int
) -> None:
    together = sides(np.array(extents), most)
    for shape, found in zip(extents, together, strict=True):
        (alone,) = sides(np.array([shape]), most)
        assert np.array_equal(alone, found)
        (turned,) = sides(np.array([shape[::-1]]), most)
        assert sorted(turned) == sorted(found)


@given(boxes())
@settings(deadline=None, max_examples=40)
def test_a_cell_lies_in_its_grid_where_it_lies_in_its_box_beside_the_corner(made: tuple[Array, Array, Array]) -> None:
    shapes, starts, size = made
    begins = np.concatenate([[0], np.cumsum(shapes.prod(axis=1))])
    found, inside = cells(begins[:-1], shapes, starts, size), places(size)
    ends = np.concatenate([[0], np.cumsum(size.prod(axis=1))])
    for number, (a, b) in enumerate(pairwise(ends)):
        assert inside[a:b].tolist() == [[*place] for place in np.ndindex(*size[number])]
        grid = np.arange(begins[number], begins[number + 1]).reshape(shapes[number])
        box = tuple(slice(start, start + side) for start, side in zip(starts[number], size[number], strict=True))
        assert found[a:b].tolist() == grid[box].ravel().tolist()


@given(boxes())
@settings(deadline=None, max_examples=40)
def test_a_box_and_the_rest_beside_it_have_every_cell_once(made: tuple[Array, Array, Array]) -> None:
    """Cut along the first axis at the corner and at the end of each box."""
    shapes, starts, size = made
    first, nothing = np.zeros(len(shapes), dtype=np.int64), np.zeros_like(starts)
    cuts = (nothing[:, 0], starts[:, 0], starts[:, 0] + size[:, 0], shapes[:, 0])
    parts: list[list[int]] = [[] for _ in shapes]
    for low, high in pairwise(cuts):
        corner, extent = nothing.copy(), shapes.copy()
        corner[:, 0], extent[:, 0] = low, high - low
        owner = np.repeat(np.arange(len(shapes)), extent.prod(axis=1))
        for number, cell in zip(owner, cells(first, shapes, corner, extent), strict=True):
            parts[number].append(int(cell))
    assert parts == [[*range(count)] for count in shapes.prod(axis=1)]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=3), st.integers(1, 12))
@settings(deadline=None, max_examples=40)
def test_no_other_rule_has_the_nearest_two_cells_of_a_class_further_apart(extents: list[int], classes: int) -> None:
    """Measured on the cells themselves, for all rules of the kind: of rising powers of one number."""
    at = places(np.array([extents]))
    distance = ((at[:, None] - at) ** 2).sum(axis=-1).astype(float)
    np.fill_diagonal(distance, np.inf)

    def nearest(steps: tuple[int, ...]) -> float:
        kind = at @ steps % classes
        return float(distance[kind[:, None] == kind].min(initial=np.inf))

    axes = len(extents)
    found = lattice_steps(tuple(extents), classes)
    assert len(found) == axes
    others = [tuple(k ** (axes - 1 - axis) for axis in range(axes)) for k in range(classes)]
    assert nearest(found) == max(map(nearest, others))
    if axes == 1:
        assert nearest(found) == (classes**2 if classes < extents[0] else np.inf)
