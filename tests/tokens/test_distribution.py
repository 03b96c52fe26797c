"""What a head may look at: the tokens that are asked for, and of the others those that the net was shown."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.tokens import HeadContext, Tokens, collate


def framed(n: int, seed: int) -> Tokens:
    """Tokens whose values are all different, between two that frame them; some are absent."""
    rng = np.random.default_rng(seed)
    maskable = np.ones(n + 2, dtype=bool)
    maskable[[0, -1]] = False
    return Tokens(
        values={"id": 1000 * seed + np.arange(n + 2)}, positions=np.arange(n + 2)[:, None], kind=np.zeros(n + 2, dtype=int),
        present=~maskable | (rng.random(n + 2) < 0.8), maskable=maskable, unit=np.arange(n + 2), where=np.zeros((n + 2, 2)),
    )  # fmt: skip


def context(lengths: list[int], share: float) -> HeadContext:
    """A batch with a share of its tokens hidden, half of which are asked for."""
    batch = collate([framed(n, seed) for seed, n in enumerate(lengths)], range(len(lengths)))
    rng = np.random.default_rng(len(batch))
    chosen = (rng.random(len(batch)) < share) & batch.maskable
    at = np.flatnonzero(chosen & batch.present & (rng.random(len(batch)) < 0.5))
    return HeadContext(batch, chosen | ~batch.present, at)


contexts = st.builds(context, st.lists(st.integers(0, 12), min_size=1, max_size=6), st.floats(0, 1))


@given(contexts)
@settings(deadline=None, max_examples=40)
def test_no_token_that_is_hidden_absent_or_a_frame_is_shown_and_all_others_are(asked: HeadContext) -> None:
    batch, shown = asked.batch, asked.shown
    assert shown.present.all()
    assert shown.maskable.all()
    ids = batch.values["id"]
    assert not np.isin(shown.values["id"], ids[asked.hidden]).any()
    assert np.isin(ids, shown.values["id"]).sum() == (~asked.hidden & batch.maskable).sum()


@given(contexts)
@settings(deadline=None, max_examples=40)
def test_targets_are_the_tokens_asked_for_in_their_order_and_none_of_them_is_shown(asked: HeadContext) -> None:
    found = asked.targets.values["id"]
    assert np.array_equal(found, asked.batch.values["id"][asked.at])
    assert not np.isin(found, asked.shown.values["id"]).any()


@given(contexts)
@settings(deadline=None, max_examples=40)
def test_records_keep_their_numbers_though_nothing_of_them_is_left(asked: HeadContext) -> None:
    for part in (asked.targets, asked.shown):
        assert np.array_equal(part.keys, asked.batch.keys)
        assert part.lengths.sum() == len(part)
        assert np.array_equal(part.record, part.values["id"] // 1000)
