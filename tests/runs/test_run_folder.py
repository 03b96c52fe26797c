"""A run's folder is opened, taken up, or left as it was."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from maskwright.errors import RunError
from maskwright.runs import run_folder
from maskwright.runs.corpus import Corpus
from maskwright.runs.recipe import Recipe
from maskwright.runs.run_folder import CHECKPOINTS, METRICS, PLACE, RECIPE
from maskwright.runs.sizing import AskedLength
from maskwright.system.atomic_files import LOCK
from maskwright.training import checkpoint


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path, recipe: Recipe, resume: bool) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "thesis.txt").write_text("precious")
    (tmp_path / "file").write_text("precious")
    words = "exists and holds no run to resume; name another" if resume else "exists; name another folder, or go on with"
    for name, why in (("project", words), ("file", "is a file; name a folder")):
        with pytest.raises(RunError, match=rf'^out=".*{name}": {why}'):
            run_folder.open_folder(tmp_path / name, recipe, resume)
    run_folder.remove_unbegun(tmp_path / "project")
    assert [path.read_text() for path in (tmp_path / "file", *(tmp_path / "project").iterdir())] == ["precious"] * 2


def test_what_a_failed_start_made_goes_and_what_was_begun_stays(tmp_path: Path, recipe: Recipe) -> None:
    out = tmp_path / "deep" / "run"
    run_folder.open_folder(out, recipe, resume=False)
    for _ in range(2):  # a second try finds nothing in its way
        (out / LOCK).touch()
        (out / CHECKPOINTS / run_folder.DATA).mkdir(parents=True)
        (out / CHECKPOINTS / run_folder.DATA / "id.bin").write_bytes(b"1")
        run_folder.open_folder(out, recipe, resume=True)
        run_folder.remove_unbegun(out)
        assert not out.exists()
        run_folder.open_folder(out, recipe, resume=False)
    recipe.write(out / RECIPE)
    run_folder.remove_unbegun(out)
    assert (out / RECIPE).is_file()


def test_where_there_is_no_run_none_is_gone_on_with(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such run to resume"):
        run_folder.open_folder(tmp_path / "nowhere", Recipe.of_modality("text"), resume=True)
    assert not (tmp_path / "nowhere").exists()


def test_options_that_are_repeated_must_agree_with_those_that_began_the_run(tmp_path: Path, recipe: Recipe) -> None:
    recipe.write(tmp_path / RECIPE)
    same = {"train.seed": 0, "net.width": recipe.net.width, "train.device": "auto", "data.paths": recipe.data.paths}
    assert run_folder.resumed_recipe(tmp_path, same, AskedLength(steps=recipe.train.steps)) == recipe
    for given, length, words in (
        ({"train.seed": 1}, AskedLength(), "was begun with train.seed = 0, not 1"),
        ({"image.longest": 9}, AskedLength(), "was begun with text, which has no image.longest"),
        ({}, AskedLength(steps=recipe.train.steps + 1), f"with train.steps = {recipe.train.steps}, not"),
        ({}, AskedLength(budget="5m"), "was begun with budget = '', not '5m'"),
    ):
        with pytest.raises(RunError, match=words):
            run_folder.resumed_recipe(tmp_path, given, length)


def test_a_checkpoint_is_taken_up_only_where_all_is_as_it_was(tmp_path: Path, recipe: Recipe, read_in: Corpus) -> None:
    def found(resume: bool = True, threads: int = 1) -> run_folder.Found | None:
        mine = replace(recipe, train=replace(recipe.train, threads=threads, device="cpu", kernels="torch"))
        return run_folder.checkpoint_to_resume(tmp_path, read_in.shards, mine, resume, exactly=True)

    (tmp_path / CHECKPOINTS).mkdir()
    assert found() is None
    assert (tmp_path / METRICS).read_bytes() == b""
    checkpoint.write(tmp_path / CHECKPOINTS, 3, {"a": torch.ones(2)}, {"step": 3})
    tensors, facts = found() or ({}, {})
    assert (tensors["a"].tolist(), facts) == ([1.0, 1.0], {"step": 3})
    with pytest.raises(RunError, match=r"can't go on exactly: it runs on 9999 threads, here are \d+ cores"):
        found(threads=9999)
    here = json.loads((tmp_path / CHECKPOINTS / PLACE).read_text())
    for name in ("data", "torch", "chip", "kernels"):
        (tmp_path / CHECKPOINTS / PLACE).write_text(json.dumps(here | {name: "other"}))
        with pytest.raises(RunError, match=re.escape(f"{name} was other, is {here[name]}")):
            found()
    assert found(resume=False) is None  # a run that begins anew asks for nothing
