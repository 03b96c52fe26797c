"""What is asked of a run goes together, or is refused in one line before anything is read."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.errors import MaskwrightError, RecipeError, RunError
from maskwright.records.read import VALUES
from maskwright.runs.request import DEFAULT_BUDGET, TrainRequest, resolve


@pytest.mark.parametrize(
    "setting", ["train.seed=-1", "train.threads=-1", "tokenizer.size=-1", "net.heads=0", "net.width=-4", "train.clip=0",
                "calibration.slots=-1", "mask.rate=2", "train.held_out=1"]
)  # fmt: skip
def test_values_out_of_range_are_named(setting: str) -> None:
    with pytest.raises(RecipeError, match=setting.split(".")[1].split("=")[0]):
        resolve(TrainRequest(settings=[setting]))


def test_a_path_that_is_not_there_is_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"phots: no such file or folder"):
        resolve(TrainRequest(data=tmp_path / "phots", settings=["image.longest=0"]))


def test_a_run_that_is_gone_on_with_may_be_told_again_what_it_was_told() -> None:
    assert resolve(TrainRequest(settings=["image.longest=0"])).given == {"image.longest": 0}


def test_a_name_that_no_file_could_hold_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/Fotos_\xfc"
    os.mkdir(folder)
    with pytest.raises(RecipeError, match=r"Fotos_\\xfc: its name is not UTF-8"):
        resolve(TrainRequest(data=os.fsdecode(folder)))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"budget": "1m", "steps": 5}, "choose one of budget, steps and tokens"),
        ({"steps": 5, "tokens": 9000}, "choose one of budget, steps and tokens"),
        ({"budget": "1m", "settings": ["train.steps=5"]}, "train.steps is given twice over; leave out `budget`"),
        ({"steps": 0}, "steps=0: must be at least 1"),
        ({"device": "cpu", "settings": ["train.device=cpu"]}, "train.device is given twice over; leave out `device`"),
        ({"modality": "text", "settings": ["image.longest=9"]}, "image.longest is not for text; leave it out"),
        ({"modality": "texts"}, "no modality 'texts' (did you mean 'text'?)"),
        ({"extend_vocab": 5}, "there is nothing to extend"),
        ({"tokenizer": "nowhere.json"}, "nowhere.json: no such file or folder"),
        ({"init": "nowhere"}, "nowhere: no such file or folder"),
        ({"data": []}, "data: there is nothing in it; give paths, or values"),
        ({"data": ["a.txt", 5]}, "data[1]: expected what data[0] is (str), got int"),
        ({"data": np.zeros((4, 4, 3), dtype=np.uint8)}, "data: a ndarray of the shape (4, 4, 3) alone would be one record"),
    ],
)
def test_what_does_not_go_together_is_refused_in_words(options: dict[str, object], words: str, few: Path) -> None:
    with pytest.raises(MaskwrightError) as refused:
        resolve(TrainRequest(**{"data": few} | options))  # type: ignore[arg-type]
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@given(st.sampled_from(["budget", "steps", "tokens", ""]), st.integers(10, 10**6))
@settings(deadline=None)
def test_a_run_has_one_length_and_a_budget_where_nobody_said(name: str, count: int) -> None:
    wanted = resolve(TrainRequest(**{name: f"{count}s" if name == "budget" else count} if name else {}))  # type: ignore[arg-type]
    assert wanted.recipe.budget == {"budget": f"{count}s", "": DEFAULT_BUDGET}.get(name, "")
    assert vars(wanted.length) == vars(wanted.length) | ({name: wanted.recipe.budget or count} if name else {})


SETTINGS = {
    "train.lr": st.floats(1e-6, 1.0), "train.seed": st.integers(0, 99), "mask.rate": st.floats(0.4, 0.9),
    "net.width": st.sampled_from([64, 96]), "tokenizer.size": st.integers(300, 9000),
}  # fmt: skip


@given(st.fixed_dictionaries({}, optional=SETTINGS))
@settings(deadline=None)
def test_what_is_given_stands_in_the_recipe_or_is_kept_for_the_net_that_is_chosen(given: dict[str, float]) -> None:
    wanted = resolve(TrainRequest(settings=[f"{key}={value!r}" for key, value in given.items()]))
    assert wanted.given == given
    assert all(wanted.recipe[key] == value for key, value in given.items() if key != "net.width")


def test_what_data_is_taken_for_is_said_where_nobody_said_what_it_is(few: Path) -> None:
    assert resolve(TrainRequest(data=few)).notice.startswith("taken for text: ")
    for named in ("text", "image"):
        wanted = resolve(TrainRequest(data=[few, few], modality=named))
        assert (wanted.notice, wanted.recipe.modality, wanted.recipe.data.paths) == ("", named, (str(few), str(few)))
    values = [np.zeros((8, 8, 3), dtype=np.uint8)] * 2
    given = resolve(TrainRequest(data=values))
    assert (given.recipe.modality, given.recipe.data.paths, len(given.values)) == ("image", (VALUES,), 2)
