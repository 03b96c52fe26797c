"""What was not asked for is chosen, what was asked for stays, and from then on the recipe says everything."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from maskwright.runs.choices import SLOTS, complete
from maskwright.runs.corpus import Corpus
from maskwright.runs.recipe import Recipe
from maskwright.runs.request import TrainRequest, resolve
from maskwright.system.progress import Progress
from maskwright.training.distributed import ProcessGroup
from tests.runs.conftest import LITTLE

Chosen = Callable[..., tuple[Recipe, list[str]]]


@pytest.fixture
def chosen(few: Path, read_in: Corpus) -> Chosen:
    """The recipe of a request, complete, and what is said meanwhile; `gone`: seconds since the command's start."""

    def complete_one(gone: float = 0.0, **asked: object) -> tuple[Recipe, list[str]]:
        wanted, said = resolve(TrainRequest(data=few, **asked)), []  # type: ignore[arg-type]

        def watch(news: Progress) -> None:
            said.append(news.words)

        begun = time.monotonic() - gone
        return complete(wanted.recipe, wanted.given, wanted.length, read_in, ProcessGroup(), begun, watch), said

    return complete_one


def test_nothing_is_left_to_chance_once_it_is_complete(chosen: Chosen) -> None:
    recipe, _ = chosen(steps=40)
    config = recipe.train
    assert (config.steps, config.decay_from, config.look_every) == (40, 28, 3)
    assert "auto" not in (config.device, config.dtype, config.kernels)
    assert config.threads >= 1
    assert recipe.calibration.slots == SLOTS
    assert recipe == chosen(steps=40)[0]


def test_what_was_asked_for_stays(chosen: Chosen) -> None:
    settings = [*LITTLE, "train.lr=1e-3", "train.warmup=3", "train.threads=1", "train.dtype=float32", "calibration.slots=7"]
    recipe, _ = chosen(tokens=5120, settings=settings)
    for key, value in resolve(TrainRequest(settings=settings)).given.items():
        assert recipe[key] == value, key
    assert recipe.train.steps == 10


@pytest.mark.parametrize(("gone", "warned"), [(0.0, False), (1000.0, True)])
def test_reading_that_took_most_of_a_budget_is_said_and_the_rest_is_trained(
    chosen: Chosen, gone: float, warned: bool
) -> None:
    recipe, said = chosen(gone, budget="60s", settings=LITTLE)
    assert recipe.train.look_every == 0  # the clock will say, and so it will of the steps
    assert recipe.calibration.slots == 0
    assert any(re.match(r"reading took \d+ s of 60, and training has the rest", words) for words in said) == warned
