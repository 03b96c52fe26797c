"""What each step trains on covers the data once an epoch, and depends on the step's number alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.modalities.text.modality import TextModality
from maskwright.records.shards import Shards
from maskwright.tokens import grid
from maskwright.tokens.masking import MaskConfig
from maskwright.training.batches import Ahead, Order, by_tokens, cut
from maskwright.training.distributed import ProcessGroup
from maskwright.training.schedule import TrainConfig


@given(
    st.one_of(
        st.lists(st.tuples(st.integers(0, 100)), min_size=1, max_size=20),
        st.lists(st.tuples(st.integers(1, 20), st.integers(1, 20)), min_size=1, max_size=8),
    ),
    st.integers(5, 40),
    st.floats(0, 0.99),
)
def test_pieces_cover_every_record_once(extents: list[tuple[int, ...]], most: int, shift: float) -> None:
    shapes = np.array(extents)
    pieces = cut(np.arange(len(shapes)), shapes, most, np.full(shapes.shape, shift))
    assert pieces.length.max() <= most
    for record, shape in enumerate(extents):
        mine = pieces[pieces.record == record]
        own = np.tile(shape, (len(mine.record), 1))
        covered = grid.cells(np.zeros(len(own), dtype=np.int64), own, mine.start, mine.size)
        assert sorted(covered) == list(range(int(np.prod(shape))))


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(1, 60))
def test_batches_by_tokens(lengths: list[int], most: int) -> None:
    parts = list(by_tokens(np.array(lengths, dtype=np.int64), most))
    assert [i for part in parts for i in range(part.start, part.stop)] == list(range(len(lengths)))
    assert all(sum(lengths[p]) <= most or p.stop - p.start == 1 for p in parts)


@pytest.fixture(scope="module")
def order(cut_texts: tuple[TextModality, Shards]) -> Order:
    modality, shards = cut_texts
    return Order(modality, shards, np.arange(len(shards)), 32, TrainConfig(batch_tokens=400), MaskConfig(), ProcessGroup())


def test_an_epoch_sees_every_token_once(order: Order) -> None:
    seen: list[tuple[int, int]] = []
    step = 0
    while order.epochs(step) < 1:
        pieces = order.pieces(step)
        for record, (start,), (length,) in zip(pieces.record, pieces.start, pieces.size, strict=True):
            seen += [(int(record), t) for t in range(start, start + length)]
        step += 1
    assert len(seen) == len(set(seen)) == order.shards.lengths.sum()
    assert step > 10


def test_a_step_is_a_pure_function_of_its_number(order: Order) -> None:
    config = TrainConfig(batch_tokens=400)
    fresh = Order(order.modality, order.shards, order.records, 32, config, order.mask, ProcessGroup())
    last = int(1.5 / order.epochs(1))
    for step in (last, 0, 7, last):
        (a, mask_a, _), (b, mask_b, _) = order(step, config), fresh(step, config)
        assert np.array_equal(a.values["id"], b.values["id"])
        assert np.array_equal(mask_a.hidden, mask_b.hidden)


def test_what_is_prepared_ahead_is_what_would_be_made(order: Order) -> None:
    config = TrainConfig(batch_tokens=400, steps=10, decay_from=3)
    ahead = Ahead(order)
    try:
        for step in range(10):
            assert np.array_equal(ahead(step, config)[1].hidden, order(step, config)[1].hidden)
    finally:
        ahead.close()
