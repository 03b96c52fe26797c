"""Of one record some values can be listed and some can't: each is asked for what it can do."""

from __future__ import annotations

import numpy as np
import pytest

from maskwright.errors import QueryError
from maskwright.model import calibrate
from maskwright.model.about import About
from maskwright.model.calibration import CalibrationConfig
from maskwright.model.model import Model
from maskwright.testing import Example, Fitted, check_modality, fitted
from tests.contract import mixed

EXAMPLE = Example(mixed.pairs(400), "B ?", lambda filled: filled.startswith("B "))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    made = fitted(mixed.DESCRIPTOR, EXAMPLE, tmp_path_factory.mktemp("mixed"))
    baseline = made.modality.baseline
    assert baseline is not None
    baseline.start(made.net, made.shards, np.arange(len(made.shards)))
    return made


@pytest.fixture(scope="module")
def model(made: Fitted) -> Model:
    tokens = made.modality.encode(made.records)
    whole = [(own, record.key) for own, record in zip(tokens, made.records, strict=True)]
    slots = CalibrationConfig(slots=120)
    fitted_ = calibrate.fit(made.predictor, tokens[:200], tokens[200:], whole, slots, 0)
    return Model(made.net, made.modality, About(modality="mixed", net={}, calibration=fitted_))


def test_it_keeps_the_contract() -> None:
    check_modality(mixed.DESCRIPTOR, EXAMPLE)


def test_levels_of_sets_are_taken_where_values_can_be_listed(made: Fitted, model: Model) -> None:
    assert model.calibration.slots[0] == 120
    tokens = made.modality.encode(made.records)
    questions = calibrate.together(tokens, 50, 1, np.random.default_rng(0), made.predictor.listable)
    assert {int(question.at[0]) for question in questions} == {0}
    assert not calibrate.together(tokens, 50, 2, np.random.default_rng(0), made.predictor.listable)


def test_a_letter_has_candidates_and_sets(model: Model) -> None:
    filling = model.fill("? 5", n=2, coverage=0.8)
    assert set(filling.slots[0].tokens) <= set(mixed.LETTERS)
    assert len(filling.completions) == 2
    assert filling.slots[0].region


def test_a_level_is_filled_and_drawn_but_not_listed(model: Model) -> None:
    filling = model.fill("C ?")
    assert filling.text.startswith("C ")
    assert not filling.slots
    assert len(model.fill("C ?", draws=3).completions) == 3
    with pytest.raises(QueryError, match=r"query\[0\]: what may stand at its 1 blanks can't be listed; ask for `draws`"):
        model.fill("C ?", n=2)


def test_both_at_once_are_filled_together_and_others_keep_their_lists(model: Model) -> None:
    both, letter = model.fill(["? ?", "? 5"])
    assert not both.slots
    assert letter.slots
    assert [len(score.per_token) for score in model.score(["A 1", "B 7"])] == [2, 2]
