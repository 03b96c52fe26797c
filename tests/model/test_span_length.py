"""A blank of unknown length is asked about at every length."""

from __future__ import annotations

import itertools

import numpy as np

import maskwright as mw
from maskwright.model import span_length
from maskwright.model.beam_decode import DecodeConfig
from maskwright.model.calibration import LengthPrior
from tests.model.queries import asked, encoded


def test_variants_differ_in_length_alone(model: mw.Model, texts: list[str]) -> None:
    (query, *_) = asked(model, [texts[3005] + " " + texts[3006]], 3, 1)
    made = span_length.variants(query, 8)
    at = np.flatnonzero(~query.tokens.present)
    before, after = query.tokens.values["id"][: at[0]], query.tokens.values["id"][at[-1] + 1 :]
    for length, variant in enumerate(made, 1):
        ids = variant.tokens.values["id"]
        assert (~variant.tokens.present).sum() == length
        assert list(itertools.chain(before, after)) == [*ids[: at[0]], *ids[at[0] + length :]]


def test_a_prior_fitted_on_nothing_is_the_one_that_served_elsewhere(model: mw.Model, texts: list[str]) -> None:
    assert span_length.fit(model.predictor, [], DecodeConfig(), 8) == LengthPrior()
    few = span_length.fit(model.predictor, asked(model, texts[3000:3020], 2, 2), DecodeConfig(), 3)
    assert np.abs(np.array(few.weights) - LengthPrior().weights).max() < 1  # and on little it stays near


def test_parts_put_together_are_one_record(model: mw.Model, texts: list[str]) -> None:
    (tokens,) = encoded(model, [texts[3001]])
    parts = [tokens.take(slice(0, 2)), tokens.take(slice(2, 3)), tokens.take(slice(3, None))]
    joined = span_length.join_all(parts)
    assert np.array_equal(joined.values["id"], tokens.values["id"])
    assert np.array_equal(joined.positions, tokens.positions)
    assert joined.shape == tokens.shape
