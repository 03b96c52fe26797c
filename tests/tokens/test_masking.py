"""Masks hide what they should, as much as they should, and depend on nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.errors import RecipeError
from maskwright.tokens import Batch, Tokens, collate
from maskwright.tokens.grid import places
from maskwright.tokens.masking import KINDS, SCHEDULES, MaskConfig, at_random, cover, draw


def record(n: int, seed: int, absent: bool = False) -> Tokens:
    """A record with [CLS]-like ends, units of one to three tokens, and a hole where asked."""
    rng = np.random.default_rng(seed)
    present, maskable = np.ones(n, dtype=bool), np.ones(n, dtype=bool)
    maskable[[0, -1]] = False
    if absent and n > 3:
        present[1 + rng.integers(0, n - 2)] = False
    return Tokens(
        values={"id": rng.integers(0, 99, n)}, positions=np.arange(n)[:, None], kind=np.zeros(n, dtype=np.int64),
        present=present, maskable=maskable, unit=np.cumsum(rng.random(n) < 0.5), where=np.zeros((n, 2), dtype=np.int64),
    )  # fmt: skip


def batch(lengths: list[int], absent: bool = False) -> Batch:
    return collate(
        [record(n, seed, absent) for seed, n in enumerate(lengths)], [seed * 977 + 5 for seed in range(len(lengths))]
    )


lengths = st.lists(st.integers(3, 60), min_size=1, max_size=8)
configs = st.builds(MaskConfig, kind=st.sampled_from(KINDS), schedule=st.sampled_from(SCHEDULES), rate=st.floats(0.05, 0.9))


@given(lengths, configs, st.integers(0, 5), st.floats(0, 1))
@settings(deadline=None)
def test_targets_are_hidden_present_and_maskable(sizes: list[int], config: MaskConfig, step: int, decay: float) -> None:
    made = batch(sizes, absent=True)
    mask = draw(made, config, seed=1, step=step, decay=decay)
    assert mask.hidden[mask.target].all()
    assert (made.present & made.maskable)[mask.target].all()
    assert mask.hidden[~made.present].all()
    assert set(np.flatnonzero(mask.hidden & made.present)) == set(mask.target)
    free = np.unique(made.record[made.present & made.maskable])
    assert set(np.unique(made.record[mask.target])) == set(free)


@given(lengths, configs)
@settings(deadline=None)
def test_of_records_of_which_nothing_is_there_nothing_is_a_target(sizes: list[int], config: MaskConfig) -> None:
    whole = batch(sizes)
    gone = replace(whole, present=np.zeros_like(whole.present))
    for mask in (draw(gone, config, seed=1, step=2, decay=0.5), at_random(gone, 0.15, 1)):
        assert mask.hidden.all()
        assert not len(mask.target)


@given(lengths, configs)
@settings(deadline=None)
def test_a_record_is_masked_alike_in_any_company(sizes: list[int], config: MaskConfig) -> None:
    whole = batch(sizes)
    mask = draw(whole, config, seed=3, step=7, decay=0.5)
    for number, (a, b) in enumerate(zip(whole.cu_seqlens[:-1], whole.cu_seqlens[1:], strict=True)):
        alone = collate([whole.take(slice(a, b))], [whole.keys[number]])
        assert np.array_equal(draw(alone, config, seed=3, step=7, decay=0.5).hidden, mask.hidden[a:b])


@pytest.mark.parametrize("kind", KINDS)
def test_the_rate_is_what_was_asked(kind: str) -> None:
    made = batch([50] * 2000)
    mask = draw(made, MaskConfig(kind=kind, schedule="fixed", rate=0.3), seed=0, step=0, decay=1.0)
    assert len(mask.target) / (48 * 2000) == pytest.approx(0.3, abs=0.01)


def test_rates_fall_with_the_decay_and_are_uniform_where_asked() -> None:
    made = batch([102] * 500)
    share = lambda mask: np.bincount(made.record[mask.target], minlength=500) / 100  # noqa: E731
    falling = MaskConfig(schedule="falling", rate=0.4, rate_end=0.1)
    assert share(draw(made, falling, seed=0, step=0, decay=1.0)).mean() == pytest.approx(0.4, abs=0.01)
    assert share(draw(made, falling, seed=0, step=0, decay=0.0)).mean() == pytest.approx(0.1, abs=0.01)
    uniform = share(draw(made, MaskConfig(schedule="uniform", rate=0.98, rate_end=0.02), seed=0, step=0, decay=1.0))
    assert np.quantile(uniform, [0.1, 0.5, 0.9]) == pytest.approx([0.116, 0.5, 0.884], abs=0.06)


def test_whole_units_go_together() -> None:
    made = batch([60] * 50)
    mask = draw(made, MaskConfig(kind="unit"), seed=0, step=0, decay=1.0)
    free = made.maskable
    for r in range(50):
        mine = (made.record == r) & free
        for unit in np.unique(made.unit[mine]):
            assert len(np.unique(mask.hidden[mine & (made.unit == unit)])) == 1


def test_boxes_are_longer_than_chance() -> None:
    made = batch([200] * 100)
    runs = {}
    for kind in ("random", "mixed", "box"):
        hidden = draw(
            made, MaskConfig(kind=kind, schedule="fixed", rate=0.2, box_mean=4.0), seed=0, step=0, decay=1.0
        ).hidden
        runs[kind] = hidden.sum() / (hidden[1:] & ~hidden[:-1]).sum()
    assert runs["random"] == pytest.approx(1.25, abs=0.1)
    assert runs["box"] > 2
    assert runs["random"] < runs["mixed"] < runs["box"]


def picture(rows: int, columns: int) -> Tokens:
    n = rows * columns
    return Tokens(
        values={"id": np.zeros(n)}, positions=places(np.array([[rows, columns]])), kind=np.zeros(n, dtype=np.int64),
        present=np.ones(n, dtype=bool), maskable=np.ones(n, dtype=bool), unit=np.arange(n), where=np.zeros((n, 4)),
    )  # fmt: skip


def test_boxes_in_pictures_are_blocks_and_stay_in_their_own() -> None:
    extents = [(12, 20), (5, 3), (20, 12), (1, 1)] * 20
    made = collate([picture(*shape) for shape in extents], [7 * k + 1 for k in range(len(extents))])
    config = MaskConfig(kind="box", schedule="fixed", rate=0.3, box_mean=4.0)
    hidden = draw(made, config, seed=0, step=0, decay=1.0).hidden
    assert hidden.mean() == pytest.approx(0.3, abs=0.03)
    random = draw(made, MaskConfig(schedule="fixed", rate=0.3), seed=0, step=0, decay=1.0).hidden
    for number, shape in enumerate(extents[:3]):
        own = made.record == number
        grid, chance = hidden[own].reshape(shape), random[own].reshape(shape)
        for axis in (0, 1):  # a hidden patch has hidden neighbours along both axes
            if number != 1:
                a, b = (
                    np.take(g, range(1, shape[axis]), axis) & np.take(g, range(shape[axis] - 1), axis)
                    for g in (grid, chance)
                )
                assert a.sum() > b.sum() + 10
        alone = collate([picture(*shape)], [7 * number + 1])
        assert np.array_equal(draw(alone, config, seed=0, step=0, decay=1.0).hidden, hidden[own])


def test_steps_and_seeds_differ() -> None:
    made = batch([50] * 20)
    config = MaskConfig()
    hidden = [draw(made, config, seed=a, step=b, decay=1.0).hidden for a, b in ((0, 0), (0, 1), (1, 0))]
    assert not np.array_equal(hidden[0], hidden[1])
    assert not np.array_equal(hidden[0], hidden[2])
    assert np.array_equal(hidden[0], draw(made, config, seed=0, step=0, decay=1.0).hidden)
    assert np.array_equal(at_random(made, 0.15, 4).hidden, at_random(made, 0.15, 4).hidden)


@given(lengths, st.integers(1, 40), st.floats(0.1, 1.0))
@settings(deadline=None)
def test_a_cover_predicts_every_token_once_its_word_hidden_behind_it(sizes: list[int], passes: int, share: float) -> None:
    made = batch(sizes, absent=True)
    wanted = np.random.default_rng(passes).random(len(made)) < share
    masks = cover(made, passes, wanted)
    assert len(masks) <= passes
    targets = np.concatenate([np.zeros(0), *(mask.target for mask in masks)])
    assert sorted(targets) == list(np.flatnonzero(made.present & made.maskable & wanted))
    words = made.record * 1000 + made.unit
    for mask in masks:
        assert np.isin(words[mask.hidden & made.present], words[mask.target]).all()
        for target in mask.target:
            after = np.flatnonzero(
                (made.unit == made.unit[target]) & (made.record == made.record[target]) & (np.arange(len(made)) > target)
            )
            assert mask.hidden[after[made.maskable[after]]].all()


@given(st.integers(1, 16), st.integers(1, 16), st.integers(1, 40))
@settings(deadline=None)
def test_targets_of_a_pass_lie_apart_in_every_direction(rows: int, columns: int, passes: int) -> None:
    made = collate([picture(rows, columns)], [rows])
    for mask in cover(made, passes, np.ones(len(made), dtype=bool)):
        places = made.positions[mask.target]
        apart = np.sqrt(((places[:, None] - places) ** 2).sum(-1))[np.triu_indices(len(places), 1)]
        assert apart.min(initial=np.inf) >= 0.75 * passes**0.5


def test_a_choice_that_is_none_names_the_nearest() -> None:
    with pytest.raises(
        RecipeError, match=r"mask.kind = 'boxes': choose one of random, unit, box, mixed \(did you mean 'box'\?\)"
    ):
        MaskConfig(kind="boxes")
