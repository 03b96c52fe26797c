"""A modality that says no more than it must gets the rest from the contract."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.errors import QueryError
from maskwright.modalities.base import Descriptor, Modality, ModalityConfig, Pooling, unclaimed
from maskwright.records.record import Origin, Record
from maskwright.records.value_type import ValueType
from tests.contract.dna import DESCRIPTOR, MASK

sequences = st.lists(st.text("ACGT?", min_size=1, max_size=30), min_size=1, max_size=5)


@given(sequences)
def test_every_token_is_there_to_be_learned_and_knows_its_place(values: list[str]) -> None:
    made = DESCRIPTOR.create()
    records = [Record(value, Origin("a")) for value in values]
    for value, tokens in zip(values, made.encode(records), strict=True):
        assert "".join(made.label(tokens.values)) == value
        assert tokens.present.all()
        assert tokens.maskable.all()
        assert tokens.shape == (len(value),)
        assert tokens.where.tolist() == [[i, i + 1] for i in range(len(value))]
        assert (made.shares(tokens) == 1).all()
    cut = made.tokenise(records)
    columns = {"id": np.concatenate([one.columns["id"] for one in cut])}
    batch = made.unpack(columns, np.array([one.shape for one in cut]), np.arange(len(cut), dtype=np.uint64))
    assert batch.lengths.tolist() == [len(value) for value in values]
    assert made.frame(batch) is batch
    assert made.augmented(columns, batch.lengths[:, None], batch.keys) is columns


@given(st.text("ACGT?", min_size=1, max_size=30))
def test_the_blanks_of_a_query_are_what_is_absent(value: str) -> None:
    made, record = DESCRIPTOR.create(), Record(value, Origin("a"))
    if "?" not in value:
        with pytest.raises(QueryError, match="a: no \\? in it"):
            made.blanks(record)
        return
    (query,) = made.blanks(record)
    assert query.blanks.tolist() == [i for i, letter in enumerate(value) if letter == "?"]
    assert (query.tokens.values["id"][query.blanks] == MASK).all()
    filled = query.tokens.with_values(query.blanks, {"id": np.zeros(len(query.blanks), dtype=np.int64)})
    assert made.decode(filled, query) == value.replace("?", "A")


def test_a_fresh_modality_knows_what_it_is_and_what_it_does_without() -> None:
    one, other = DESCRIPTOR.create(), DESCRIPTOR.create()
    assert one is not other
    assert (one.name, one.value_type, DESCRIPTOR.key) == ("dna", DESCRIPTOR.value_type, "dna")
    one.configure(ModalityConfig())
    assert one.describe() == ["dna", {}]
    assert one.config.files == ()
    assert one.size(Record("ACGT", Origin("a"))) == 4
    assert not one.caveats
    assert one.checkpoints.files is not None
    assert unclaimed(["a"], [], None).sure == 0


@given(st.integers(1, 3), st.integers(1, 3), st.booleans(), st.integers(1, 64))
def test_a_vector_has_a_part_for_every_cell(axes: int, cells: int, deviation: bool, width: int) -> None:
    assert Pooling(cells, deviation).width(axes, width) == width * cells**axes * (2 if deviation else 1)


def test_a_modality_has_fifteen_members_to_write_at_most() -> None:
    abstract = len(Modality.__abstractmethods__) + len(ValueType.__abstractmethods__)
    named = sum(name not in vars(ValueType) for name in ValueType.__annotations__)
    declared = sum(field.default is dataclasses.MISSING for field in dataclasses.fields(Descriptor))
    assert abstract + named + declared <= 15
