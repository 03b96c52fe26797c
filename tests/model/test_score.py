"""Every token is scored once, given the others."""

from __future__ import annotations

import numpy as np
import pytest

import maskwright as mw
from maskwright.errors import QueryError
from maskwright.model.predictor import Question
from maskwright.model.score import score
from tests.model.queries import encoded


def test_scoring_one_at_a_time_is_every_conditional(model: mw.Model, texts: list[str]) -> None:
    (tokens,) = encoded(model, [texts[3001]])
    (exact,) = score(model.predictor, [tokens], [7], "all")
    for i in range(len(tokens)):
        hidden = np.zeros(len(tokens), dtype=bool)
        hidden[i:] = tokens.unit[i:] == tokens.unit[i]
        question = Question(tokens, hidden, np.array([i]))
        truth = {"id": tokens.values["id"][[i]]}
        alone = model.predictor.ask([question], lambda d, m, r, t=truth: list(d.nll(t).tolist()))[0]  # type: ignore[misc]
        assert exact[i] == pytest.approx(alone, abs=1e-4)


@pytest.mark.parametrize("passes", [1, 3, 16, "all"])
def test_every_token_is_scored_once_at_any_length(model: mw.Model, texts: list[str], passes: int | str) -> None:
    records = encoded(model, ["", "a", texts[0], " ".join(texts[:15])])
    nats = score(model.predictor, records, range(4), passes)
    for tokens, values in zip(records, nats, strict=True):
        assert len(values) == len(tokens)
        assert (values > 0).all()


def test_passes_that_make_no_sense(model: mw.Model) -> None:
    with pytest.raises(QueryError, match="passes must be a whole number above 0"):
        model.score("a", passes=0)
