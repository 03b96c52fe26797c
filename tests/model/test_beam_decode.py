"""Completions have the probabilities that the net says, in the order in which they are found."""

from __future__ import annotations

import numpy as np
import pytest

import maskwright as mw
from maskwright.modalities.base import Query
from maskwright.model import beam_decode
from maskwright.model.beam_decode import DecodeConfig
from tests.conftest import text_records
from tests.model.queries import asked


def test_a_joint_probability_is_the_product_in_decoding_order(model: mw.Model, texts: list[str]) -> None:
    """Forcing what the decoder found, blank by blank in its own order, gives the probability that it named."""
    queries = asked(model, texts[3000:3100], 3)
    greedy = DecodeConfig(beam=1, rescore=False)
    found = [c[0] for c in beam_decode.best(model.predictor, queries, greedy)]
    blanks = [~q.tokens.present for q in queries]
    again = [
        Query(q.tokens, q.template, {n: v[b] for n, v in c.tokens.values.items()})
        for q, c, b in zip(queries, found, blanks, strict=True)
    ]
    for a, b in zip(found, beam_decode.forced(model.predictor, again, greedy), strict=True):
        assert a.log_prob == pytest.approx(b.log_prob, abs=1e-4)


def test_a_wider_beam_finds_no_less_likely_completions(model: mw.Model, texts: list[str]) -> None:
    queries = asked(model, texts[3000:3100], 3)
    one, four = (beam_decode.best(model.predictor, queries, DecodeConfig(beam=beam, rescore=False)) for beam in (1, 4))
    gain = [b[0].log_prob - a[0].log_prob for a, b in zip(one, four, strict=True)]
    assert np.mean(gain) >= 0
    for completions in four:
        shown = [tuple(c.tokens.values["id"]) for c in completions]
        assert len(set(shown)) == len(shown) == 4


def test_draws_follow_the_distribution(model: mw.Model) -> None:
    (query,) = model.modality.blanks(text_records("My {mask} was declined")[0])
    drawn = beam_decode.draws(model.predictor, [query] * 3000, 0, 5, DecodeConfig())
    at = int(np.flatnonzero(~query.tokens.present)[0])
    ids = np.array([c.tokens.values["id"][at] for c in drawn])
    likeliest = beam_decode.best(model.predictor, [query], DecodeConfig())[0]
    for completion in likeliest[:3]:
        share = float((ids == completion.tokens.values["id"][at]).mean())
        assert share == pytest.approx(np.exp(completion.log_prob), abs=0.04)
