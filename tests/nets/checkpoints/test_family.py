"""A shape belongs to one family at most, and what a family can do and our encoder can't is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskwright.errors import ModelError
from maskwright.nets.checkpoints.bert import BERT_FAMILIES
from maskwright.nets.checkpoints.convert import FAMILIES
from maskwright.nets.checkpoints.family import demand, of_shape
from tests.nets.checkpoints.shapes import SHAPES
from tests.nets.small import SMALL


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_is_told_by_one_family_alone(name: str) -> None:
    assert of_shape(SHAPES[name], FAMILIES.values()).name == name
    assert [family.name for family in FAMILIES.values() if family.fits(SHAPES[name])] == [name]


def test_a_wish_that_the_encoder_does_not_have_is_named_and_a_missing_one_is_none() -> None:
    demand({"hidden_act": "gelu", "other": 3}, hidden_act="gelu", qkv_bias=True)
    with pytest.raises(ModelError, match="its hidden_act is 'relu'; only 'gelu' is known"):
        demand({"hidden_act": "relu"}, hidden_act="gelu")


def test_a_shape_of_no_family_is_refused() -> None:
    with pytest.raises(ModelError, match="no family"):
        of_shape(replace(SMALL, norm="post"), BERT_FAMILIES)
