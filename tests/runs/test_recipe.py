"""A recipe is written, read and changed without loss."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.errors import RecipeError
from maskwright.modalities.detect import descriptors
from maskwright.runs.recipe import DataConfig, Recipe, keys, parsed


@given(st.text(max_size=20), st.integers(1, 10**6), st.floats(1e-6, 1.0))
def test_it_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, name: str, steps: int, lr: float) -> None:
    recipe = replace(Recipe.of_modality("text"), data=DataConfig(paths=(name, "b")))
    recipe = recipe.with_values(parsed([f"train.steps={steps}", f"train.lr={lr!r}"]))
    path = tmp_path_factory.mktemp("recipe") / "recipe.toml"
    recipe.write(path)
    assert Recipe.read(path) == recipe


def test_every_key_can_be_set_to_its_own_value() -> None:
    for key, known in keys().items():
        section, value = key.split(".")[0], known.default
        owner = next((name for name, d in descriptors().items() if d.key == section), "text")
        recipe = Recipe.of_modality(owner)
        assert recipe[key] == value
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


def test_a_recipe_of_another_version_is_named(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text('modality = "text"\n')
    with pytest.raises(RecipeError, match="not a recipe that this version reads"):
        Recipe.read(tmp_path / "recipe.toml")
