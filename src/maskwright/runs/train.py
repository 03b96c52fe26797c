"""One training run: data to tokens, a plan, the loop, calibration, a finished model folder.

In: what to train on, where to, and how long. Out: the folder. Here, and only here, the parts meet: each of them knows
its own configuration, and this file hands it over. Whatever happens, the folder is left so that `resume` can go on.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from maskwright import modalities
from maskwright.errors import DataError, ModelError, RecipeError, RunError
from maskwright.modalities.base import Modality
from maskwright.model import calibration, folder
from maskwright.model.model import Model, load
from maskwright.model.predictor import Predictor
from maskwright.records.notices import NAMED, Notices
from maskwright.records.read import ONCE, has_columns
from maskwright.records.split import Split, split
from maskwright.runs import model_card, run_folder, sizing
from maskwright.runs.recipe import Recipe
from maskwright.runs.request import Asked, Data, asked, on_this_machine
from maskwright.system import resources
from maskwright.system.atomic_files import clear_leftovers, locked
from maskwright.system.device import device_memory, torch_device
from maskwright.system.process import Stop, flush_denormals, keep_memory, stoppable
from maskwright.tokens import Tokens
from maskwright.tokens import uncollate as apart
from maskwright.training import checkpoint
from maskwright.training.batches import Order, Pieces, batch_of, cut
from maskwright.training.cost_model import Speed
from maskwright.training.distributed import ProcessGroup
from maskwright.training.loop import Hooks, Loop, Pace
from maskwright.training.prepare import Prepared, prepare, too_short
from maskwright.training.schedule import TrainConfig
from maskwright.training.step_timing import measure_speed
from maskwright.training.validation import validation_set

SLOTS = 2000
SHOWN_TOKENS = 2_000_000
"""of held-out data, at the most, of which slots are chosen"""
SHOWN_BYTES = 1 << 27
"""that it may have, as shards store it"""
CALIBRATION_SHARE = 0.9
"""of the time that is left after training"""


@dataclass(frozen=True)
class News:
    """What a run tells whoever watches it."""

    phase: str
    """reading, tokeniser, tokenising, counting, training, calibrating"""
    share: float | None = None
    """of the phase that is done, where that is known"""
    size: float = 0.0
    """bytes done, where that is known"""
    line: dict[str, Any] | None = None
    """what was added to metrics.jsonl"""
    words: str = ""
    """something that the user should read"""


Watcher = Callable[[News], None]


def train(
    data: Data | None = None,
    *,
    out: str | os.PathLike[str],
    budget: str | None = None,
    steps: int | None = None,
    tokens: int | None = None,
    field: str | None = None,
    group: str | None = None,
    held_out: str | os.PathLike[str] | None = None,
    record: str | None = None,
    modality: str | None = None,
    tokenizer: str | os.PathLike[str] | None = None,
    init: str | os.PathLike[str] | None = None,
    extend_vocab: int | None = None,
    resume: bool = False,
    on_bad: str | None = None,
    settings: Sequence[str] = (),
    device: str | None = None,
    shard: bool = False,
    watch: Watcher | None = None,
) -> Model:
    """Trains a model on `data` (a file, a folder, "-", or several of them; or arrays and Pillow's images) into the folder
    `out`, and returns it.

    The length of the run is `budget` (wall time to the finished folder: "90s", "10m", "2h"; ten minutes unless told
    otherwise), or `steps`, or `tokens`. `init` names a checkpoint to go on from, with its own tokeniser, which
    `extend_vocab` gives so many new words. `settings` change single keys of the recipe ("train.lr=3e-4"). With `resume` a
    run that was stopped or killed goes on where its last checkpoint stands; then `data` and the rest may be left out.
    `device` is cpu, cuda, or auto (cuda where there is one).

    Under torchrun the processes share every batch, and with `shard` the parameters too; the first of them reads, writes
    and tells `watch`.

    Raises MaskwrightError: DataError, ModelError, RecipeError, RunError (Interrupted where the user stopped it).
    """
    begun = time.monotonic()
    wanted = asked(
        data, settings, {"budget": budget, "steps": steps, "tokens": tokens}, field=field, group=group, held_out=held_out,
        record=record, modality=modality, tokenizer=tokenizer, init=init, extend_vocab=extend_vocab, on_bad=on_bad,
        device=device,
    )  # fmt: skip
    processes = ProcessGroup.joined(shard, wanted.recipe.train.device)
    tell = watch if watch and processes.first else lambda news: None
    run = _Run(Path(out), wanted, begun, tell, processes)
    try:
        return run.go(resume) if processes.first else run.follow()
    except (DataError, ModelError, RecipeError):
        run_folder.remove_unbegun(Path(out))
        raise
    except OSError as error:
        where, what = error.filename or out, error.strerror or error
        raise RunError(f"{where}: {what}; what was saved is whole: mend it, then go on with --resume") from None


class _Run:
    def __init__(self, out: Path, wanted: Asked, begun: float, watch: Watcher, processes: ProcessGroup) -> None:
        self.out, self.recipe, self.given, self.length = out, wanted.recipe, wanted.given, wanted.length
        self.words, self.values = wanted.words, wanted.values
        self.begun, self.watch, self.processes = begun, watch, processes
        self.checkpoints = out / run_folder.CHECKPOINTS

    def go(self, resume: bool) -> Model:
        run_folder.open_folder(self.out, self.recipe, resume)
        with locked(self.out), stoppable() as stop, flush_denormals():
            clear_leftovers(self.out)
            if resume and run_folder.finished(self.out):
                self._clear()
                self.processes.agree(None)
                self.watch(News("done", words=f"{self.out}: finished already; nothing to do"))
                return load(self.out, device=self.recipe.train.device)
            planned = resume and (self.out / run_folder.RECIPE).is_file()
            if planned:
                self.recipe = run_folder.resumed_recipe(self.out, self.given, self.length)
                if self.values:
                    raise RunError(f"{self.out} goes on with the values that it began with; leave data out")
            elif self.words:
                self.watch(News("reading", words=self.words))
            if not self.recipe.data.paths:
                raise RunError(f"{self.out}: nothing to resume there; name the data to train on")
            torch.set_num_threads(self._threads())
            once = ONCE.keys() & set(self.recipe.data.paths)
            begun = planned and (bool(once) or any(self.checkpoints.glob("step-*.safetensors")))
            modality, prepared = self._prepare(begun)
            parts = split(prepared.shards, self.recipe.train.held_out, prepared.own)
            if not planned:
                self._plan(prepared, parts, modality)
            found = run_folder.checkpoint_to_resume(
                self.out, prepared.shards, self.recipe, resume, exactly=self.processes.count == 1
            )
            self.processes.agree({"resumed": found is not None})
            with run_folder.kernels(self.recipe.train):
                loop = self._loop(modality, prepared, parts, stop, found)
                loop.run()
                stop.at_once("stopped while calibrating; the same command with --resume goes on there")
                model = self._finish(loop, modality, prepared, parts)
            self.processes.wait()
            return model

    def follow(self) -> Model:
        """What a process does that isn't the first: its part of every step, with what the first has prepared."""
        said = self.processes.agree(None)
        if said:
            self.recipe = Recipe.read(self.out / run_folder.RECIPE)
            with stoppable() as stop, flush_denormals(), run_folder.kernels(self.recipe.train):
                modality, prepared = self._prepare(begun=True)
                parts = split(prepared.shards, self.recipe.train.held_out, prepared.own)
                found = checkpoint.latest(self.checkpoints) if said["resumed"] else None
                self._loop(modality, prepared, parts, stop, found).run()
            self.processes.wait()
        return load(self.out, device=self.recipe.train.device)

    def _threads(self) -> int:
        """Of this process: as many as were asked for, or its share of the machine's cores; a run that is resumed alone keeps
        to its recipe."""
        asked = self.given.get("train.threads") or (self.recipe.train.threads if self.processes.count == 1 else 0)
        return int(asked) or max(resources.cores() // self.processes.here, 1)

    # Before training

    def _prepare(self, begun: bool) -> tuple[Modality, Prepared]:
        skipped = Notices(lambda message: self.watch(News("reading", words=f"skipped: {message}")))
        noted = Notices(lambda message: self.watch(News("reading", words=message)))
        data = self.recipe.data
        modality = modalities.modality(self.recipe.modality)
        source = replace(data.source(skipped, self.values), form=modality.form, note=noted)
        held = replace(source, paths=(data.held_out,), values=(), group=None) if data.held_out else None
        if held and not has_columns(held):
            held = replace(held, field=None)
        modality.configure(getattr(self.recipe, modality.section))
        prepared = prepare(
            source, held, modality, self.checkpoints / run_folder.DATA, lambda what, n: self.watch(News(what, size=n)), begun
        )
        self.values = ()
        if prepared.changed:
            self.watch(News("reading", words="the data has changed since this run began; it goes on with what it read then"))
        for what, heard in (("records skipped", skipped), ("notes", noted)):
            if heard.count > NAMED:
                self.watch(News("reading", words=f"{heard.count:,} {what} in all"))
        if words := too_short(prepared.shards, modality):
            self.watch(News("reading", words=words))
        if prepared.stretched:
            self.watch(News("reading", words="few documents: stretches of them are held out, not whole ones"))
        return modality, prepared

    def _plan(self, prepared: Prepared, parts: Split, modality: Modality) -> None:
        """Fills in what was not asked for; from here on the recipe says everything."""
        recipe, records = self.recipe, prepared.shards.lengths[parts.train]
        if recipe.init:
            recipe = replace(recipe, train=replace(recipe.train, lr=sizing.CONTINUED_LR))
        config, words = on_this_machine(recipe.train, self.processes.here)
        if words:
            self.watch(News("training", words=words))
        recipe = replace(recipe, train=config)
        left = None
        if recipe.budget:
            whole, gone = sizing.seconds(recipe.budget), time.monotonic() - self.begun
            left = max(whole - gone, 1.0)  # reading alone may have taken all of it: then the least is trained
            if gone > whole / 2:
                self.watch(News("reading", words=(
                    f"reading took {gone:.0f} s of {whole:.0f}, and training has the rest; a longer --budget, or fewer or"
                    " smaller records, would give it more"
                )))  # fmt: skip
        length = sizing.Length(left, self.length["steps"], self.length["tokens"], self.given.get("train.batch_tokens"))
        there = modality.checkpoint(Path(recipe.init)) if recipe.init else None
        place, dtype = torch_device(recipe.train.device), getattr(torch, recipe.train.dtype)

        def probe(likely: sizing.Choice) -> Speed:
            with run_folder.kernels(recipe.train):
                return measure_speed(likely.work, modality, prepared.shards, parts.train, place, dtype)

        room = sizing.Place(device_memory(place) / self.processes.here, dtype.itemsize, self.processes.count)
        choice = sizing.choose(length, self.given, there, modality, records, probe, room)
        config = replace(recipe.train, batch_tokens=choice.batch_tokens, look_tokens=sizing.look_tokens(length))
        given = {key: value for key, value in self.given.items() if key not in run_folder.LEFT_TO_THE_RUN}
        recipe = replace(recipe, net=choice.net, train=config).with_values(given)
        recipe = replace(recipe, train=sizing.schedule(length, choice, recipe.train))
        slots = recipe.calibration.slots or (0 if recipe.budget else SLOTS)
        self.recipe = replace(recipe, calibration=calibration.CalibrationConfig(slots=slots)).with_values(given)
        self.recipe.write(self.out / run_folder.RECIPE)

    # Training

    def _loop(
        self, modality: Modality, prepared: Prepared, parts: Split, stop: Stop, found: run_folder.Found | None
    ) -> Loop:
        """Everything that a loop needs, where `found` left it."""
        recipe, shards, first = self.recipe, prepared.shards, self.processes.first
        torch.set_num_threads(self._threads())
        self.watch(News("counting"))
        held = validation_set(
            modality, shards, parts.train, parts.held["look"], recipe.net.length, recipe.train.look_tokens, recipe.train.seed
        )
        torch.manual_seed(recipe.train.seed)
        net = folder.build(modality, recipe.net)
        if not recipe.init:
            modality.start(net, shards, parts.train)
        elif not found:
            headed = modality.adopt(net, Path(recipe.init))
            if not headed:
                words = f"{recipe.init}: has no prediction head; a new one begins"
                self.watch(News("training", words=words))
        net.dtype = getattr(torch, recipe.train.dtype)
        net.to(torch_device(recipe.train.device))
        order = Order(modality, shards, parts.train, recipe.net.length, recipe.train, recipe.mask, self.processes)
        pace = None
        if recipe.budget:
            pace = Pace(self.begun, sizing.seconds(recipe.budget) * (1 - sizing.FINISH_SHARE), sizing.DECAY_SHARE)

        def line(values: dict[str, Any]) -> int:
            if not first:
                return 0
            with open(self.out / run_folder.METRICS, "ab") as file:
                file.write(json.dumps(values).encode() + b"\n")
                size = file.tell()
            self.watch(News("training", loop.share(), line=values))
            return size

        def keep(seen: dict[str, float], step: int) -> None:
            weights = loop.weights()
            if first:
                folder.write(self.out, net.config, weights, modality, *self._about(loop, prepared, parts, seen, step, None))

        def settled(config: TrainConfig) -> None:
            self.recipe = replace(self.recipe, train=config)
            if first:
                self.recipe.write(self.out / run_folder.RECIPE)

        hooks = Hooks(line, keep, settled, lambda: stop.asked)
        loop = Loop(net, order, held, recipe.train, hooks, self.checkpoints, pace, self.processes)
        loop.begun = self.begun
        if found:
            loop.load(*found)
            if loop.pace:
                loop.pace.begun -= loop.state.elapsed
            if first:
                with open(self.out / run_folder.METRICS, "ab") as file:
                    file.truncate(loop.state.lines)
            self.watch(News("training", words=f"going on from step {loop.state.step} of {loop.config.steps}"))
        stop.politely()
        keep_memory()
        return loop

    # After training

    def _finish(self, loop: Loop, modality: Modality, prepared: Prepared, parts: Split) -> Model:
        state = loop.state
        self.watch(News("calibrating"))
        net, _, about = folder.read(self.out)
        net.to(torch_device(self.recipe.train.device))
        reader = Predictor(net, modality)
        used = ("fit", "level") if modality.exact else ("fit",)
        shown = {name: self._held_out(modality, prepared, parts, name, reader.most) for name in used}
        if not self.recipe.calibration.slots:
            left = sizing.seconds(self.recipe.budget) - loop.state.elapsed - (time.monotonic() - self.begun)
            slots = calibration.affordable(reader, shown["fit"], left * CALIBRATION_SHARE)
            self.recipe = replace(self.recipe, calibration=calibration.CalibrationConfig(slots=slots))
            self.recipe.write(self.out / run_folder.RECIPE)
        whole, recipe = self._whole(modality, prepared, parts), self.recipe
        fitted = calibration.fit(reader, shown["fit"], shown.get("level", []), whole, recipe.calibration, recipe.train.seed)
        seen = about["held_out"]
        about, text = self._about(loop, prepared, parts, seen, about["trained"]["step"], fitted)
        folder.update(self.out, about, text)
        if state.last and state.best_step < state.step and state.last["nats"] > 1.01 * state.best:
            self.watch(News("done", words=(
                f"overfitting: held-out data was predicted best at step {state.best_step} of {state.step}"
                f" ({seen['bits_per_byte']:.3f} bits a byte, {state.last['bits_per_byte']:.3f} at the end); those weights"
                " are kept. More data, or a shorter run, would serve better."
            )))  # fmt: skip
        self._clear()
        return load(self.out, device=self.recipe.train.device)

    def _clear(self) -> None:
        recipe = Recipe.read(self.out / run_folder.RECIPE)
        if not recipe.train.keep_checkpoints:
            shutil.rmtree(self.checkpoints, ignore_errors=True)

    def _held_out(self, modality: Modality, prepared: Prepared, parts: Split, name: str, most: int) -> list[Tokens]:
        """Pieces of a held-out part, as many as calibration can use."""
        records = parts.held[name]
        pieces = cut(records, prepared.shards.shapes[records], most)
        chosen = np.random.default_rng((self.recipe.train.seed, 3)).permutation(len(pieces.record))
        chosen = chosen[: np.searchsorted(np.cumsum(pieces.length[chosen]), _room(modality, SHOWN_TOKENS)) + 1]
        return apart(batch_of(modality, prepared.shards, pieces[np.sort(chosen)], frame=False))

    def _whole(self, modality: Modality, prepared: Prepared, parts: Split) -> Iterator[tuple[Tokens, int]]:
        """Whole records that were held out and chose no weights, and their keys, in an order of chance, as they are read."""
        shards, rng = prepared.shards, np.random.default_rng((self.recipe.train.seed, 4))
        for record in rng.permutation(np.union1d(parts.held["fit"], parts.held["level"])):
            shape = shards.shapes[record][None]
            (tokens,) = apart(
                batch_of(modality, shards, Pieces(np.array([record]), np.zeros_like(shape), shape), frame=False)
            )
            yield tokens, int(shards.keys[record])

    def _about(
        self, loop: Loop, prepared: Prepared, parts: Split, seen: dict[str, float], step: int,
        fitted: calibration.Calibration | None,
    ) -> tuple[dict[str, Any], str]:  # fmt: skip
        elapsed = round(loop.state.elapsed + time.monotonic() - loop.begun, 1)
        about = {
            "finished": fitted is not None,
            "held_out": seen,
            "trained": {
                "step": step, "steps": loop.config.steps, "seconds": elapsed, "tokens": loop.state.tokens,
                "budget": self.recipe.budget, "epochs": round(loop.order.epochs(max(loop.state.step - 1, 0)), 2),
            },
            "data": {
                "paths": _names(self.recipe.data.paths),
                "records": prepared.records, "bytes": prepared.bytes, "duplicates": parts.duplicates,
                "held_out_records": len(np.unique(parts.held_out)), "own_held_out": parts.own_held_out,
                "parted": parts.parted, "stretched": prepared.stretched,
            },
            "calibration": fitted.to_json() if fitted else None,
        }  # fmt: skip
        return about, model_card.text(about, loop.order.modality, loop.net.config)


def _names(paths: Sequence[str]) -> list[str]:
    """What a model's folder calls its data: of many files, how many."""
    return [ONCE.get(path) or Path(path).name for path in paths] if len(paths) <= NAMED else [f"{len(paths):,} paths"]


def _room(modality: Modality, tokens: int) -> int:
    """How many tokens, so many at the most, are read at once: those of pictures are large."""
    return min(tokens, SHOWN_BYTES // sum(dtype.itemsize for dtype in modality.columns.values()))
