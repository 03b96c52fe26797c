"""What a finished folder says of its run is what the run did."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from maskwright.model import folder as folders
from maskwright.model.about import HeldOutFigures, read_about
from maskwright.runs import finish, model_card
from maskwright.runs.choices import complete
from maskwright.runs.corpus import Corpus
from maskwright.runs.recipe import Recipe
from maskwright.runs.request import TrainRequest, resolve
from maskwright.runs.run_folder import METRICS, RECIPE
from maskwright.system.progress import Progress, unwatched
from maskwright.training.batches import Order
from maskwright.training.distributed import ProcessGroup
from maskwright.training.loop import Hooks, Loop
from maskwright.training.validation import validation_set
from tests.runs.conftest import LITTLE


def test_the_figures_of_a_run_stand_in_its_folder(folder: Path) -> None:
    about, recipe = read_about(folder), Recipe.read(folder / RECIPE)
    lines = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
    looks = [line for line in lines if "held_out" in line]
    assert about.finished
    assert about.held_out is not None
    assert about.trained is not None
    assert about.data is not None
    assert about.calibration is not None
    best = min(looks, key=lambda line: line["held_out"]["nats"])
    assert about.held_out == HeldOutFigures(**best["held_out"])
    assert (about.trained.step, about.trained.steps, about.trained.tokens) == (best["step"], 250, looks[-1]["tokens"])
    assert about.net == vars(recipe.net)
    assert about.data.paths == [Path(recipe.data.paths[0]).name]
    assert about.calibration.slots[0] <= recipe.calibration.slots


@pytest.fixture
def loop(read_in: Corpus, few: Path, tmp_path: Path) -> tuple[Loop, Recipe]:
    """A run of four steps, just over, and its recipe."""
    wanted = resolve(TrainRequest(data=few, steps=4, settings=[*LITTLE, "calibration.slots=20"]))
    alone, begun = ProcessGroup(), time.monotonic()
    recipe = complete(wanted.recipe, wanted.given, wanted.length, read_in, alone, begun, unwatched)
    modality, shards, parts = read_in.modality, read_in.shards, read_in.parts
    torch.manual_seed(0)
    net = folders.build(modality, recipe.net)
    held = validation_set(modality, shards, parts.train, parts.held["look"], recipe.net.length, 2000, 0)
    order = Order(modality, shards, parts.train, recipe.net.length, recipe.train, recipe.mask, alone)
    hooks = Hooks(lambda line: 0, lambda seen, step: None, lambda config: None, lambda: False)
    made = Loop(net, order, held, recipe.train, hooks, tmp_path / "checkpoints", None, alone)
    made.run()
    return made, recipe


def written(loop: Loop, recipe: Recipe, corpus: Corpus, out: Path) -> HeldOutFigures:
    """The folder as it is when training is over; and what was seen at the last look."""
    seen = loop.state.last
    assert seen is not None
    about = finish.about_run(loop, corpus, recipe, seen, loop.state.best_step, None)
    card = model_card.text(about, corpus.modality, recipe.net)
    folders.write(out, recipe.net, loop.weights(), corpus.modality, about, card)
    return seen


def test_finishing_calibrates_and_leaves_the_weights_as_they_were(
    loop: tuple[Loop, Recipe], read_in: Corpus, tmp_path: Path
) -> None:
    made, recipe = loop
    seen = written(made, recipe, read_in, tmp_path / "m")
    before, unfinished = (tmp_path / "m" / "model.safetensors").read_bytes(), read_about(tmp_path / "m")
    said: list[Progress] = []
    assert finish.finish(tmp_path / "m", recipe, made, read_in, time.monotonic(), said.append) == recipe
    about = read_about(tmp_path / "m")
    assert (unfinished.finished, about.finished) == (False, True)
    assert about.calibration is not None
    assert (about.held_out, about.files, about.data) == (seen, unfinished.files, unfinished.data)
    assert (tmp_path / "m" / "model.safetensors").read_bytes() == before
    assert "Calibration: temperature" in (tmp_path / "m" / "README.md").read_text()
    assert said[0].phase == "calibrating"


def test_a_run_whose_held_out_data_was_foretold_better_before_its_end_says_so(loop: tuple[Loop, Recipe]) -> None:
    made, _ = loop
    last = made.state.last
    assert last is not None
    assert finish._overfitting(made, last) == ""
    made.state.best_step, made.state.best = 2, last.nats / 1.2
    words = finish._overfitting(made, replace(last, nats=last.nats / 1.2, bits_per_byte=last.bits_per_byte / 1.2))
    assert words.startswith("overfitting: held-out data was predicted best at step 2 of 4 (")
    assert f"{last.bits_per_byte:.3f} at the end" in words


def test_of_many_files_a_model_says_how_many_they_were() -> None:
    assert finish._names(["/home/me/a.txt", "-", "b/"]) == ["a.txt", "standard input", "b"]
    assert finish._names([f"{number}.txt" for number in range(1234)]) == ["1,234 paths"]
