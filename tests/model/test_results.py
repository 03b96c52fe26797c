"""Answers are in a user's terms, and rows of tables hold all of them."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import maskwright as mw
from maskwright.errors import DataError
from maskwright.modalities.image.files import decoded
from maskwright.modalities.image.pixels import Image
from maskwright.modalities.image.value import IMAGE
from maskwright.modalities.text.value import TEXT
from maskwright.model.results import Filled, Filling, Score, strength, value_column
from maskwright.records.notices import Listener, unheard
from maskwright.records.value_type import ValueType

parts = st.lists(st.tuples(st.floats(0, 50), st.floats(0.01, 1)), min_size=1, max_size=9)


def test_a_row_of_a_filling_is_json_and_holds_all_that_was_asked_for(model: mw.Model) -> None:
    filling = model.fill("My {mask} was {mask}", n=3, coverage=0.5)
    row = json.loads(json.dumps(filling.row(TEXT)))
    assert row["text"] == filling.text == row["completions"][0]["text"]
    assert math.log(row["prob"]) == pytest.approx(row["log_prob"]) == pytest.approx(filling.log_prob)
    assert [slot["tokens"] for slot in row["slots"]] == [slot.tokens for slot in filling.slots]
    assert all(slot["region"] for slot in row["slots"])
    assert len(row["completions"]) == 3


def test_a_picture_stands_in_a_row_as_a_file_and_what_no_file_holds_is_refused() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    row = Filling(Image(pixels), -2e4, [], [Filled(Image(255 - pixels), -3e4)]).row(IMAGE)
    assert np.array_equal(decoded(row["image"], "row", unheard).pixels, pixels)
    assert np.array_equal(decoded(row["completions"][0]["image"], "row", unheard).pixels, 255 - pixels)
    assert (row["prob"], row["log_prob"]) == (0.0, -2e4)
    odd = Image(np.zeros((5, 7, 2), dtype=np.uint8), np.zeros((5, 7), dtype=bool))
    with pytest.raises(DataError, match="no file holds 2 channels"):
        Filling(odd, -1.0).row(IMAGE)


def test_values_whose_type_names_no_column_stand_under_value() -> None:
    class Numbers(ValueType):
        name = "numbers"

        def of_python(self, given: Any, where: str, notice: Listener = unheard) -> Any:
            return given

    assert value_column(Numbers()) == "value"
    assert Filling(3, -1.0).row(Numbers())["value"] == "3"


@given(parts)
def test_a_mean_is_nats_of_a_whole_token_however_many_are_cut_off(parts: list[tuple[float, float]]) -> None:
    """Of tokens that are all as strange for their size the mean is that strangeness."""
    shares = [share for _, share in parts]
    alike = Score(sum(3.0 * share for share in shares), [3.0 * share for share in shares], [], [], shares)
    assert alike.mean == pytest.approx(3.0)
    whole = [nats for nats, _ in parts]
    assert Score(sum(whole), whole, [], []).mean == pytest.approx(np.mean(whole))
    assert Score(0.0, [], [], []).mean == 0


@given(parts)
def test_an_edge_is_as_bright_as_the_middle_and_a_sliver_at_most_four_times(parts: list[tuple[float, float]]) -> None:
    nats, shares = zip(*parts, strict=True)
    assert strength(nats, []) == list(nats)
    for found, own, share in zip(strength(nats, shares), nats, shares, strict=True):
        assert own <= found <= 4 * own
        assert share < 0.25 or found * share == pytest.approx(own)
