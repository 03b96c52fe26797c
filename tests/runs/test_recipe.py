"""A recipe is written, read and changed without loss; budgets are understood."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.errors import ModelError, RecipeError, RunError
from maskwright.modalities import Modality, modality
from maskwright.runs.recipe import DataConfig, Recipe, keys, parsed
from maskwright.runs.request import asked
from maskwright.runs.sizing import CLOSE, LAPTOP, Choice, Length, Place, choose, nets, schedule, seconds
from maskwright.training.cost_model import Speed
from maskwright.training.schedule import TrainConfig


@given(st.text(max_size=20), st.integers(1, 10**6), st.floats(1e-6, 1.0))
def test_it_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, name: str, steps: int, lr: float) -> None:
    recipe = Recipe(data=DataConfig(paths=(name, "b"))).with_values(parsed([f"train.steps={steps}", f"train.lr={lr!r}"]))
    path = tmp_path_factory.mktemp("recipe") / "recipe.toml"
    recipe.write(path)
    assert Recipe.read(path) == recipe


def test_every_key_can_be_set_to_its_own_value() -> None:
    recipe = Recipe()
    for key in keys():
        value = recipe[key]
        setting = f"{key}={str(value).lower() if isinstance(value, bool) else value}"
        assert recipe.with_values(parsed([setting])) == recipe


def test_settings_of_a_section_are_taken_together() -> None:
    assert Recipe().with_values({"net.width": 96, "net.heads": 6}).net.width == 96
    with pytest.raises(RecipeError, match="even multiple"):
        Recipe().with_values({"net.width": 100, "net.heads": 6})
    assert parsed(["train.keep_checkpoints=TRUE", "train.seed = 1e3"]) == {
        "train.keep_checkpoints": True,
        "train.seed": 1000,
    }


def test_a_width_alone_brings_heads_that_divide_it() -> None:
    (net,) = nets({"net.width": 320}, 128, modality("text"))
    assert (net.width, net.heads, net.ff, net.length) == (320, 5, 480, 128)
    (net,) = nets({"net.width": 96, "net.heads": 3, "net.length": 64}, 128, modality("text"))
    assert (net.heads, net.ff, net.length) == (3, 144, 64)
    for width in range(8, 1200, 2):
        (net,) = nets({"net.width": width}, 128, modality("text"))
        assert width % net.heads == 0
        assert (width // net.heads) % 2 == 0


def test_heads_alone_leave_the_widths_that_they_divide() -> None:
    assert {net.width for net in nets({"net.heads": 5}, 128, modality("text"))} == {320, 640}
    with pytest.raises(RecipeError, match="even multiple"):
        nets({"net.heads": 7}, 128, modality("text"))


@pytest.mark.parametrize(
    "setting", ["train.seed=-1", "train.threads=-1", "tokenizer.size=-1", "net.heads=0", "net.width=-4", "train.clip=0",
                "calibration.slots=-1", "mask.rate=2", "train.held_out=1"]
)  # fmt: skip
def test_values_out_of_range_are_named(setting: str) -> None:
    with pytest.raises(RecipeError, match=setting.split(".")[1].split("=")[0]):
        asked(None, [setting], {"budget": None, "steps": None, "tokens": None})


NOTHING = {"budget": None, "steps": None, "tokens": None}


def test_a_path_that_is_not_there_is_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"phots: no such file or folder"):
        asked(tmp_path / "phots", ["image.longest=0"], NOTHING)


def test_a_run_that_is_gone_on_with_may_be_told_again_what_it_was_told() -> None:
    assert asked(None, ["image.longest=0"], NOTHING).given == {"image.longest": 0}


def test_a_name_that_no_file_could_hold_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/Fotos_\xfc"
    os.mkdir(folder)
    with pytest.raises(RecipeError, match=r"Fotos_\\xfc: its name is not UTF-8"):
        asked(os.fsdecode(folder), [], NOTHING)


def test_a_recipe_of_another_version_is_named(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text('modality = "text"\n')
    with pytest.raises(RecipeError, match="not a recipe that this version reads"):
        Recipe.read(tmp_path / "recipe.toml")


@pytest.mark.parametrize(("budget", "value"), [("90s", 90), ("10m", 600), ("1.5h", 5400), ("10 min", 600), ("1d", 86400)])
def test_budgets(budget: str, value: float) -> None:
    assert seconds(budget) == value


@pytest.mark.parametrize("budget", ["", "0", "soon", "-5m", "10", "5s", "m", "1e3s"])
def test_budgets_that_make_no_sense(budget: str) -> None:
    with pytest.raises(RecipeError, match="--budget"):
        seconds(budget)


@pytest.fixture(scope="module")
def text(folder: Path) -> Modality:
    made = modality("text")
    made.load(folder)
    return made


RECORDS = np.full(10_000, 60)
SLOW, FAST = Speed(0.05e12, 130e-9), Speed(1e15, 1e-12)


def chosen(text: Modality, length: Length, speed: Speed = LAPTOP) -> Choice:
    return choose(length, {}, None, text, RECORDS, lambda likely: speed, Place())


def test_more_time_and_faster_machines_never_buy_a_smaller_net(text: Modality) -> None:
    budgets = (15, 30, 120, 600, 3600, 36000, 360000)
    for speed in (SLOW, LAPTOP, FAST):
        found = [chosen(text, Length(float(budget)), speed) for budget in budgets]
        widths = [choice.net.width for choice in found]
        assert widths == sorted(widths)
        assert all(later.loss <= CLOSE * earlier.loss for earlier, later in pairwise(found))
        assert all(schedule(Length(steps=40), choice, TrainConfig()).look_every == 3 for choice in found)
    for budget in budgets:
        slow, laptop, fast = (chosen(text, Length(float(budget)), speed) for speed in (SLOW, LAPTOP, FAST))
        assert slow.net.width <= laptop.net.width <= fast.net.width
        assert slow.tokens < laptop.tokens < fast.tokens


def test_steps_and_tokens_ask_no_clock(text: Modality) -> None:
    length = Length(steps=500)

    def probe(likely: Choice) -> Speed:
        raise AssertionError("a clock was asked")

    choice = choose(length, {}, None, text, RECORDS, probe, Place(processes=2))
    config = TrainConfig(batch_tokens=choice.batch_tokens)
    assert choice == choose(length, {}, None, text, RECORDS, probe, Place(processes=1))
    assert choice.net.width <= 256
    assert schedule(length, choice, config).steps == 500
    assert schedule(Length(tokens=10 * config.batch_tokens), choice, config).steps == 10


def test_a_small_corpus_gets_no_large_net(text: Modality) -> None:
    for tokens, most in ((5_000, 128), (100_000, 256)):
        records = np.full(tokens // 50, 50)
        choice = choose(Length(3600.0), {}, None, text, records, lambda likely: LAPTOP, Place())
        assert choice.net.width <= most


def test_what_does_not_fit_into_memory_is_not_chosen(text: Modality) -> None:
    length = Length(360_000.0)
    free = choose(length, {}, None, text, RECORDS, lambda likely: LAPTOP, Place())
    tight = choose(length, {}, None, text, RECORDS, lambda likely: LAPTOP, Place(memory=free.work.memory(4) * 0.7))
    assert tight.net.width < free.net.width
    least = choose(length, {}, None, text, RECORDS, lambda likely: LAPTOP, Place(memory=1.0))
    assert least.net.width == nets({}, 128, modality("text"))[0].width


def test_a_given_batch_is_what_is_planned_with(text: Modality) -> None:
    for length in (Length(60.0, batch_tokens=512), Length(steps=100, batch_tokens=512)):
        choice = chosen(text, length)
        assert choice.batch_tokens == choice.work.batch_tokens == 512
    few, many = (chosen(text, Length(steps=1000, batch_tokens=size)) for size in (512, 65_536))
    assert few.net.width < many.net.width
    assert few.net.length <= many.net.length


def test_a_shape_that_no_tool_could_open_is_refused(text: Modality) -> None:
    with pytest.raises(ModelError, match="no family has this shape"):
        choose(Length(60.0), {"net.norm": "post"}, None, text, RECORDS, lambda likely: LAPTOP, Place())
