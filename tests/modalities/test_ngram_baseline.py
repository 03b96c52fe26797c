"""Counting gives probabilities, and starts a net near them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.modalities.ngram_baseline import NgramCounts, Table, vectors

SIZE = 12


@pytest.fixture(scope="module")
def chain() -> tuple[np.ndarray, np.ndarray]:
    """Records of a chain in which a token is mostly followed by the next number."""
    rng = np.random.default_rng(0)
    ids = np.cumsum(rng.random(6000) < 0.9) % SIZE
    return ids, np.arange(0, 6001, 30)


@pytest.mark.parametrize("case", range(4))
def test_every_expert_mixture_sums_to_one(chain: tuple[np.ndarray, np.ndarray], case: int) -> None:
    counts = NgramCounts.of(*chain, SIZE)
    for left, right in ((3, 5), (SIZE, 2), (7, 7), (0, SIZE)):
        everything = np.arange(SIZE, dtype=np.uint64)
        same = np.ones(SIZE, dtype=np.uint64)
        nats = counts.neighbour_nats(everything, same * np.uint64(left), same * np.uint64(right), np.full(SIZE, case))
        assert np.exp(-nats).sum() == pytest.approx(1.0, abs=0.02)
        assert np.isfinite(nats).all()
    assert np.exp(-counts.frequency_nats(np.arange(SIZE))).sum() == pytest.approx(1.0)


def test_neighbours_know_more_than_frequency(chain: tuple[np.ndarray, np.ndarray]) -> None:
    counts = NgramCounts.of(*chain, SIZE)
    x, l, r = (np.array([n], dtype=np.uint64) for n in (4, 3, 5))
    assert counts.neighbour_nats(x, l, r, np.array([3])) < counts.neighbour_nats(x, l, r, np.array([1]))
    assert counts.neighbour_nats(x, l, r, np.array([1])) < counts.frequency_nats(np.array([4]))


def test_vectors_lie_alike_where_neighbours_are_alike() -> None:
    rng = np.random.default_rng(0)
    # Tokens 1 and 2 stand between 3 and 4, tokens 5 and 6 between 7 and 8.
    rows = [[3, rng.integers(1, 3), 4] if rng.random() < 0.5 else [7, rng.integers(5, 7), 8] for _ in range(2000)]
    found = vectors(np.array(rows).ravel(), np.arange(0, 6001, 3), 10, 6).numpy()
    unit = found / np.linalg.norm(found, axis=1, keepdims=True)
    assert unit[1] @ unit[2] > 0.9
    assert unit[5] @ unit[6] > 0.9
    assert abs(unit[1] @ unit[5]) < 0.5
    assert np.isfinite(found).all()
    assert np.abs(found[9]).sum() > 0  # never seen, but a vector all the same


@given(st.lists(st.integers(0, 20), max_size=40), st.lists(st.integers(0, 25), max_size=20))
def test_a_table_counts_what_was_seen(seen: list[int], asked: list[int]) -> None:
    found = Table(np.array(seen, dtype=np.uint64))(np.array(asked, dtype=np.uint64))
    assert found.tolist() == [seen.count(key) for key in asked]
