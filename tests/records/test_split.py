"""What is held out: whole groups, no copies, the same ones whatever else is there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maskwright.errors import DataError
from maskwright.records.shards import Shards, Writer
from maskwright.records.split import split


def shards(folder: Path, records: list[tuple[int, int, int]]) -> Shards:
    """Records of (length, fold, group)."""
    writer = Writer(folder, {"id": np.dtype(np.uint16)})
    for number, (length, fold, group) in enumerate(records):
        writer.add(
            {"id": np.full(length, number, np.uint16)}, (length,), key=number, fold=fold, group=group * 7919, size=length * 3
        )
    writer.close()
    return Shards(folder)


record = st.tuples(st.integers(0, 50), st.integers(0, 200), st.integers(0, 40))


@given(st.lists(record, min_size=2, max_size=200), st.floats(0.02, 0.5))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_groups_stay_whole_and_copies_go(tmp_path: Path, records: list[tuple[int, int, int]], share: float) -> None:
    made = shards(tmp_path, records)
    distinct = {fold for length, fold, _ in records if length}
    try:
        parts = split(made, share)
    except DataError:
        firsts = {fold: group for length, fold, group in reversed(records) if length}
        assert len(set(firsts.values())) < 2
        return
    held, train = parts.held_out, parts.train
    assert not set(made.groups[held]) & set(made.groups[train])
    assert not set(made.folds[held]) & set(made.folds[train])
    assert set(made.folds[train]) | set(made.folds[held]) == distinct
    assert len(set(made.folds[train])) == len(train)
    assert len(train)
    assert len(held)


def test_own_held_out_data_is_never_trained_on(tmp_path: Path) -> None:
    made = shards(tmp_path, [(4, fold, fold) for fold in (1, 2, 3, 4, 2, 9)])
    parts = split(made, 0.1, own=np.array([4, 5]))
    assert set(made.folds[parts.train]) == {1, 3, 4}
    assert set(made.folds[parts.held_out]) == {2, 9}


def test_adding_a_record_moves_no_other(tmp_path: Path) -> None:
    records = [(10, fold, fold) for fold in range(200)]
    before = set(shards(tmp_path / "a", records).folds[split(shards(tmp_path / "a", records), 0.1).held_out])
    more = shards(tmp_path / "b", [*records, (10, 999, 999)])
    after = set(more.folds[split(more, 0.1).held_out])
    assert len(before ^ after) <= 2


def test_one_record_alone_cant_be_split(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="too little data to hold some out"):
        split(shards(tmp_path, [(10, 1, 1)]), 0.1)
