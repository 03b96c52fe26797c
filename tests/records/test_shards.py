"""Shards give back what was written, box by box, and a folder that nobody finished is not read."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.records.shards import Shards, Writer
from maskwright.tokens import Array

COLUMNS: dict[str, np.dtype[Any]] = {"id": np.dtype(np.uint16), "pixels": np.dtype((np.uint8, (2, 3)))}
grids = st.integers(1, 3).flatmap(lambda axes: st.lists(st.tuples(*[st.integers(0, 6)] * axes), max_size=8))


def tokens(shape: tuple[int, ...], seed: int) -> dict[str, Array]:
    """Columns of a grid of tokens."""
    rng, n = np.random.default_rng(seed), int(np.prod(shape))
    return {"id": rng.integers(0, 2**16, n, dtype=np.uint16), "pixels": rng.integers(0, 256, (n, 2, 3), dtype=np.uint8)}


def write(folder: Path, shapes: list[tuple[int, ...]]) -> Shards:
    writer = Writer(folder, COLUMNS)
    for number, shape in enumerate(shapes):
        writer.add(tokens(shape, number), shape, key=2**64 - 1 - number, fold=number // 2, group=7, size=number * 3)
    writer.close()
    return Shards(folder)


def test_shards_give_back_what_was_written(tmp_path: Path) -> None:
    writer = Writer(tmp_path, {"id": np.dtype(np.uint16)})
    for number, length in enumerate((3, 0, 5)):
        ids = np.full(length, number, np.uint16)
        writer.add({"id": ids}, (length,), key=number, fold=number + 1, group=number * 7919, size=length * 3)
    writer.close()
    found = Shards(tmp_path).pieces(np.array([2, 0]), np.array([[1], [0]]), np.array([[2], [3]]))
    assert found["id"].tolist() == [2, 2, 0, 0, 0]


@given(grids)
@settings(deadline=None, max_examples=40)
def test_every_record_comes_back_whole_with_what_was_said_of_it(shapes: list[tuple[int, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = write(Path(folder), shapes)
        assert len(made) == len(shapes)
        assert [tuple(shape) for shape in made.shapes] == shapes
        assert made.keys.tolist() == [2**64 - 1 - number for number in range(len(shapes))]
        assert made.folds.tolist() == [number // 2 for number in range(len(shapes))]
        assert made.groups.tolist() == [7] * len(shapes)
        assert made.sizes.tolist() == [number * 3 for number in range(len(shapes))]
        for number, shape in enumerate(shapes):
            found = made.pieces(np.array([number]), np.zeros((1, len(shape)), dtype=np.int64), np.array([shape]))
            for name, column in tokens(shape, number).items():
                assert found[name].dtype == column.dtype
                assert np.array_equal(found[name], column)


@given(grids.filter(bool), st.randoms())
@settings(deadline=None, max_examples=40)
def test_boxes_of_records_in_any_order_are_what_slices_of_their_grids_are(
    shapes: list[tuple[int, ...]], random: Any
) -> None:
    records = [random.randrange(len(shapes)) for _ in range(5)]
    spans = np.array([[sorted((random.randint(0, n), random.randint(0, n))) for n in shapes[r]] for r in records])
    with tempfile.TemporaryDirectory() as folder:
        found = write(Path(folder), shapes).pieces(np.array(records), spans[..., 0], spans[..., 1] - spans[..., 0])
    for name in COLUMNS:
        want = []
        for record, box in zip(records, spans, strict=True):
            column = tokens(shapes[record], record)[name]
            inside = column.reshape(*shapes[record], *column.shape[1:])[tuple(slice(a, b) for a, b in box)]
            want.append(inside.reshape(-1, *column.shape[1:]))
        assert np.array_equal(found[name], np.concatenate(want))


def test_a_folder_is_read_only_after_its_writer_has_closed_it(tmp_path: Path) -> None:
    assert not Shards.ready(tmp_path / "none")
    assert len(write(tmp_path, [(3,)])) == 1
    assert Shards.ready(tmp_path)
    writer = Writer(tmp_path, COLUMNS)  # again, as after a change of the data
    writer.add(tokens((4,), 0), (4,), key=1, fold=1, group=1, size=1)
    assert not Shards.ready(tmp_path)
    writer.discard()
    assert not Shards.ready(tmp_path)
    with pytest.raises(FileNotFoundError):
        Shards(tmp_path)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=30), st.integers(1, 700), st.data())
@settings(deadline=None, max_examples=40)
def test_a_column_is_of_whole_records_and_of_all_where_they_are_few(
    lengths: list[int], most: int, data: st.DataObject
) -> None:
    records = np.array(sorted(data.draw(st.sets(st.sampled_from(range(len(lengths))), min_size=1))))
    with tempfile.TemporaryDirectory() as folder:
        flat, starts = write(Path(folder), [(n,) for n in lengths]).column("id", records, most)
    parts = [flat[a:b].tolist() for a, b in pairwise(starts)]
    whole = [tokens((lengths[record],), record)["id"].tolist() for record in records]
    step = next(step for step in range(1, len(whole) + 1) if whole[::step] == parts)
    assert step == 1 or sum(map(len, whole)) > most
