"""Joining records and taking them apart again."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from maskwright.tokens import Tokens, collate, uncollate


def tokens(n: int, seed: int) -> Tokens:
    rng = np.random.default_rng(seed)
    return Tokens(
        values={"id": rng.integers(0, 9, n)}, positions=np.arange(n)[:, None], kind=np.zeros(n, dtype=np.int64),
        present=rng.random(n) < 0.9, maskable=np.ones(n, dtype=bool), unit=np.arange(n), where=np.zeros((n, 2), dtype=int),
    )  # fmt: skip


@given(st.lists(st.integers(0, 9), min_size=1, max_size=9))
def test_split_undoes_join(lengths: list[int]) -> None:
    records = [tokens(n, seed) for seed, n in enumerate(lengths)]
    batch = collate(records, range(len(records)))
    assert batch.record.tolist() == [r for r, n in enumerate(lengths) for _ in range(n)]
    for before, after in zip(records, uncollate(batch), strict=True):
        assert np.array_equal(before.values["id"], after.values["id"])
        assert np.array_equal(before.present, after.present)


def test_new_values_are_present_and_the_old_stay() -> None:
    old = tokens(5, 0)
    new = old.with_values(np.array([2]), {"id": np.array([42])})
    assert new.values["id"][2] == 42
    assert new.present[2]
    assert old.values["id"][2] != 42
