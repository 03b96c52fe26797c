"""From trained weights to a finished model: calibration, and what the folder says of the run.

In: the weights at their best look, as the folder holds them, and the corpus. Out: the folder, finished.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from maskwright.model import calibrate, folder
from maskwright.model.about import About, DataFacts, HeldOutFigures, TrainingFacts
from maskwright.model.calibration import Calibration, CalibrationConfig
from maskwright.model.predictor import Predictor
from maskwright.records.notices import NAMED
from maskwright.records.read import once
from maskwright.runs import model_card, sizing
from maskwright.runs.corpus import Corpus, held_out_pieces, whole_records
from maskwright.runs.recipe import Recipe
from maskwright.runs.run_folder import RECIPE
from maskwright.system.device import torch_device
from maskwright.system.progress import Progress, Watcher
from maskwright.training.loop import Loop

CALIBRATION_SHARE = 0.9
"""Share of the time left after training that calibration may take."""
WORSE = 1.01
"""Ratio of the final held-out nats to the best ones, above which a run is said to have overfitted."""


def finish(out: Path, recipe: Recipe, loop: Loop, corpus: Corpus, begun: float, watch: Watcher) -> Recipe:
    """Calibrates the model in `out`, and returns the recipe with what the clock has decided on the way. `begun`:
    time.monotonic() of the command's start."""
    watch(Progress("calibrating"))
    net, _, about = folder.read(out)
    net.to(torch_device(recipe.train.device))
    predictor, seed = Predictor(net, corpus.modality), recipe.train.seed
    fitted_on = held_out_pieces(corpus, "fit", predictor.most, seed)
    # Levels are those of lists of values: where there are none, none of this has to be read.
    levels_on = held_out_pieces(corpus, "level", predictor.most, seed) if net.lists_values else []
    if not recipe.calibration.slots:
        left = sizing.seconds(recipe.budget) - loop.state.elapsed - (time.monotonic() - begun)
        slots = calibrate.affordable(predictor, fitted_on, left * CALIBRATION_SHARE)
        recipe = replace(recipe, calibration=CalibrationConfig(slots=slots))
        recipe.write(out / RECIPE)
    fitted = calibrate.fit(predictor, fitted_on, levels_on, whole_records(corpus, seed), recipe.calibration, seed)
    assert about.held_out is not None and about.trained is not None  # noqa: PT018 (the loop has written them)
    final = about_run(loop, corpus, recipe, about.held_out, about.trained.step, fitted)
    folder.update(out, final, model_card.text(final, corpus.modality, loop.net.config))
    if words := _overfitting(loop, about.held_out):
        watch(Progress("done", notice=words))
    return recipe


def about_run(
    loop: Loop, corpus: Corpus, recipe: Recipe, seen: HeldOutFigures, step: int, fitted: Calibration | None
) -> About:
    """What a model's folder says, its weights being those of `step`, which look at held-out data as `seen`."""
    prepared, parts, state = corpus.prepared, corpus.parts, loop.state
    return About(
        modality=corpus.modality.name,
        net=asdict(loop.net.config),
        lists_values=loop.net.lists_values,
        finished=fitted is not None,
        held_out=seen,
        trained=TrainingFacts(
            step=step, steps=loop.config.steps, seconds=round(state.elapsed + time.monotonic() - loop.begun, 1),
            tokens=state.tokens, budget=recipe.budget, epochs=round(loop.order.epochs(max(state.step - 1, 0)), 2),
        ),
        data=DataFacts(
            paths=_names(recipe.data.paths), records=prepared.records, bytes=prepared.bytes, duplicates=parts.duplicates,
            held_out_records=len(np.unique(parts.held_out)), own_held_out=parts.own_held_out, parted=parts.parted,
            stretched=prepared.stretched,
        ),
        calibration=fitted,
    )  # fmt: skip


def _names(paths: Sequence[str]) -> list[str]:
    """What a model's folder calls its data: of many files, how many."""
    if len(paths) > NAMED:
        return [f"{len(paths):,} paths"]
    return [once(path) or Path(path).name or Path(path).resolve().name for path in paths]


def _overfitting(loop: Loop, seen: HeldOutFigures) -> str:
    state = loop.state
    if not state.last or state.best_step == state.step or state.last.nats <= WORSE * state.best:
        return ""
    return (
        f"overfitting: held-out data was predicted best at step {state.best_step} of {state.step}"
        f" ({seen.bits_per_byte:.3f} bits a byte, {state.last.bits_per_byte:.3f} at the end); those weights"
        " are kept. More data, or a shorter run, would serve better."
    )
