"""A recipe is written, read and changed without loss; budgets are understood."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.errors import RecipeError
from maskwright.plan import Length, completed, schedule, seconds, shape
from maskwright.recipe import DataConfig, Recipe, keys, parsed


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
    assert completed({"net.width": 320}) == {"net.width": 320, "net.heads": 5, "net.ff": 480}
    assert completed({"net.width": 96, "net.heads": 3}) == {"net.width": 96, "net.heads": 3, "net.ff": 144}
    for width in range(8, 1200, 2):
        heads = completed({"net.width": width})["net.heads"]
        assert width % heads == 0
        assert (width // heads) % 2 == 0


@pytest.mark.parametrize(
    "setting", ["train.seed=-1", "train.threads=-1", "tokenizer.size=-1", "net.heads=0", "net.width=-4", "train.clip=0",
                "calibration.slots=-1", "mask.rate=2", "train.held_out=1"]
)  # fmt: skip
def test_values_out_of_range_are_named(setting: str) -> None:
    with pytest.raises(RecipeError, match=setting.split(".")[1].split("=")[0]):
        Recipe().with_values(completed(parsed([setting])))


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


def test_more_time_never_buys_a_smaller_net() -> None:
    records = np.full(10_000, 60)
    widths = []
    for budget in (30, 120, 600, 3600, 36000):
        net, config = shape(Length(float(budget)), records, 2)
        widths.append(net.width * net.layers)
        assert schedule(Length(float(budget)), net, config).look_every >= 1
    assert widths == sorted(widths)


def test_steps_and_tokens_ask_no_clock() -> None:
    records = np.full(10_000, 60)
    net, config = shape(Length(steps=500), records, 2)
    assert schedule(Length(steps=500), net, config).steps == 500
    assert schedule(Length(tokens=10 * config.batch_tokens), net, config).steps == 10
