"""One training run: data to tokens, choices, the loop, calibration, a finished model folder.

In: what to train on, where to, and how long. Out: the folder. Here, and only here, the parts meet: each of them knows
its own configuration, and this file hands it over. Whatever happens, the folder is left so that `resume` can go on.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from maskwright.errors import DataError, ModelError, RecipeError, RunError, option
from maskwright.model import folder
from maskwright.model.about import HeldOutFigures
from maskwright.model.model import Model, load
from maskwright.nets.masked import MaskedNet
from maskwright.records.read import once
from maskwright.runs import model_card, run_folder, sizing
from maskwright.runs.choices import complete
from maskwright.runs.corpus import Corpus, read_corpus
from maskwright.runs.finish import about_run, finish
from maskwright.runs.recipe import Recipe
from maskwright.runs.request import Data, Resolved, TrainRequest, resolve
from maskwright.system import resources
from maskwright.system.atomic_files import clear_leftovers, locked
from maskwright.system.device import torch_device
from maskwright.system.process import Stop, flush_denormals, keep_memory, stoppable
from maskwright.system.progress import Progress, Watcher, unwatched
from maskwright.training import checkpoint
from maskwright.training.batches import Order
from maskwright.training.distributed import ProcessGroup
from maskwright.training.loop import Hooks, Loop, Pace
from maskwright.training.schedule import TrainConfig
from maskwright.training.validation import validation_set


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
    separator: str | None = None,
    header: bool | None = None,
    quote: str | None = None,
    encoding: str | None = None,
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
    otherwise), or `steps`, or `tokens`. `field` names the column of a table that holds the records, `group` one whose equal
    values stay on one side of the held-out split, `held_out` your own held-out data; `record` says what a record of plain
    text is (line, paragraph or file). `separator`, `header` (whether the first row has names), `quote` ("none") and
    `encoding` say how a table of text is laid out, where its first lines don't tell. `on_bad` is what to do where something
    can't be read (stop or skip). `init` names a checkpoint to go on from, with its own tokeniser, which `extend_vocab`
    gives so many new words; `tokenizer` a tokenizer.json to use as it is. `settings` change single keys of the recipe
    ("train.lr=3e-4"). With `resume` a run that was stopped or killed goes on where its last checkpoint stands; then `data`
    and the rest may be left out. `device` is cpu, cuda, or auto (cuda where there is one). `watch` hears of progress.

    Under torchrun the processes share every batch, and with `shard` the parameters too; the first of them reads, writes
    and tells `watch`.

    Raises MaskwrightError: DataError, ModelError, RecipeError, RunError (Interrupted where the user stopped it).

        >>> model = train("tickets.csv", field="text", budget="12s", out="tickets-model")
        >>> model.about.trained.budget
        '12s'
    """
    request = TrainRequest(
        data=data, out=out, budget=budget, steps=steps, tokens=tokens, field=field, group=group, held_out=held_out,
        record=record, separator=separator, header=header, quote=quote, encoding=encoding, modality=modality,
        tokenizer=tokenizer, init=init, extend_vocab=extend_vocab, resume=resume, on_bad=on_bad, settings=settings,
        device=device, shard=shard,
    )  # fmt: skip
    return run(request, watch or unwatched)


def run(request: TrainRequest, watch: Watcher = unwatched) -> Model:
    """`train`, of a request."""
    begun, out = time.monotonic(), Path(request.out)
    wanted = resolve(request)
    processes = ProcessGroup.joined(request.shard, wanted.recipe.train.device)
    task = _Run(out, wanted, begun, watch if processes.first else unwatched, processes)
    try:
        return task.go(request.resume) if processes.first else task.follow()
    except (DataError, ModelError, RecipeError):
        run_folder.remove_unbegun(out)
        raise
    except OSError as error:
        fix = f"what was saved is whole: mend it, then go on with {option('resume', True)}"
        raise RunError(str(error.strerror or error), where=error.filename or out, fix=fix) from None


class _Run:
    def __init__(self, out: Path, wanted: Resolved, begun: float, watch: Watcher, processes: ProcessGroup) -> None:
        self.out, self.wanted, self.recipe = out, wanted, wanted.recipe
        self.begun, self.watch, self.processes = begun, watch, processes
        self.checkpoints = out / run_folder.CHECKPOINTS

    def go(self, resume: bool) -> Model:
        """The first process, or the only one."""
        run_folder.open_folder(self.out, self.recipe, resume)
        with locked(self.out), stoppable() as stop, flush_denormals():
            clear_leftovers(self.out)
            if resume and run_folder.finished(self.out):
                return self._finished_already()
            planned = resume and (self.out / run_folder.RECIPE).is_file()
            if planned:
                self._take_up()
            elif self.wanted.notice:
                self.watch(Progress("reading", notice=self.wanted.notice))
            if not self.recipe.data.paths:
                raise RunError("nothing to resume there", where=self.out, fix="name the data to train on")
            torch.set_num_threads(self._threads())
            streamed = any(map(once, self.recipe.data.paths))
            begun = planned and (streamed or any(self.checkpoints.glob("step-*.safetensors")))
            corpus = self._corpus(begun)
            if not planned:
                given, asked = self.wanted.given, self.wanted.length
                self.recipe = complete(self.recipe, given, asked, corpus, self.processes, self.begun, self.watch)
                self.recipe.write(self.out / run_folder.RECIPE)
            exactly = self.processes.count == 1
            found = run_folder.checkpoint_to_resume(self.out, corpus.shards, self.recipe, resume, exactly)
            self.processes.agree({"resumed": found is not None})
            with run_folder.kernels(self.recipe.train):
                loop = self._loop(corpus, stop, found)
                loop.run()
                stop.at_once(f"stopped while calibrating; the same command with {option('resume', True)} goes on there")
                self.recipe = finish(self.out, self.recipe, loop, corpus, self.begun, self.watch)
            self._clear()
            self.processes.wait()
            return load(self.out, device=self.recipe.train.device)

    def follow(self) -> Model:
        """What a process does that isn't the first: its part of every step, with what the first has prepared."""
        said = self.processes.agree(None)
        if said:
            self.recipe = Recipe.read(self.out / run_folder.RECIPE)
            with stoppable() as stop, flush_denormals(), run_folder.kernels(self.recipe.train):
                corpus = self._corpus(begun=True)
                found = checkpoint.latest(self.checkpoints) if said["resumed"] else None
                self._loop(corpus, stop, found).run()
            self.processes.wait()
        return load(self.out, device=self.recipe.train.device)

    def _finished_already(self) -> Model:
        self._clear()
        self.processes.agree(None)
        self.watch(Progress("done", notice=f"{self.out}: finished already; nothing to do"))
        return load(self.out, device=self.recipe.train.device)

    def _take_up(self) -> None:
        """Goes on with the recipe that is there, with which what was asked must agree."""
        self.recipe = run_folder.resumed_recipe(self.out, self.wanted.given, self.wanted.length)
        if self.wanted.values:
            raise RunError(f"{self.out} goes on with the values that it began with", fix="leave data out", option="data")

    def _corpus(self, begun: bool) -> Corpus:
        return read_corpus(self.recipe, self.wanted.values, self.checkpoints / run_folder.DATA, self.watch, begun)

    def _threads(self) -> int:
        """Of this process: as many as were asked for, or its share of the machine's cores; a run that is resumed alone keeps
        to its recipe."""
        own = self.recipe.train.threads if self.processes.count == 1 else 0
        asked = self.wanted.given.get("train.threads") or own
        return int(asked) or max(resources.cores() // self.processes.here, 1)

    def _loop(self, corpus: Corpus, stop: Stop, found: run_folder.Found | None) -> Loop:
        """Everything that a loop needs, where `found` left it."""
        recipe, modality, shards, parts = self.recipe, corpus.modality, corpus.shards, corpus.parts
        torch.set_num_threads(self._threads())
        self.watch(Progress("counting"))
        held = validation_set(
            modality, shards, parts.train, parts.held["look"], recipe.net.length, recipe.train.look_tokens, recipe.train.seed
        )
        net = self._net(corpus, found is not None)
        order = Order(modality, shards, parts.train, recipe.net.length, recipe.train, recipe.mask, self.processes)
        pace = None
        if recipe.budget:
            pace = Pace(self.begun, sizing.seconds(recipe.budget) * (1 - sizing.FINISH_SHARE), sizing.DECAY_SHARE)
        watching = _Watching(self, corpus)
        hooks = Hooks(watching.line, watching.keep, watching.settled, lambda: stop.asked)
        loop = watching.loop = Loop(net, order, held, recipe.train, hooks, self.checkpoints, pace, self.processes)
        loop.begun = self.begun
        if found:
            loop.load(*found)
            if loop.pace:
                loop.pace.begun -= loop.state.elapsed
            if self.processes.first:
                with open(self.out / run_folder.METRICS, "ab") as file:
                    file.truncate(loop.state.lines)
            words = f"going on from step {loop.state.step} of {loop.config.steps}"
            self.watch(Progress("training", notice=words))
        stop.politely()
        keep_memory()
        return loop

    def _net(self, corpus: Corpus, resumed: bool) -> MaskedNet:
        """A net where it begins: where counting ends, or where a checkpoint of others does."""
        recipe, modality = self.recipe, corpus.modality
        torch.manual_seed(recipe.train.seed)
        net = folder.build(modality, recipe.net)
        if recipe.init:
            if not resumed and not modality.checkpoints.adopt(net, Path(recipe.init)):
                words = f"{recipe.init}: has no prediction head; a new one begins"
                self.watch(Progress("training", notice=words))
        elif modality.baseline:
            modality.baseline.start(net, corpus.shards, corpus.parts.train)
        net.dtype = getattr(torch, recipe.train.dtype)
        net.to(torch_device(recipe.train.device))
        return net

    def _clear(self) -> None:
        recipe = Recipe.read(self.out / run_folder.RECIPE)
        if not recipe.train.keep_checkpoints:
            shutil.rmtree(self.checkpoints, ignore_errors=True)


class _Watching:
    """What a loop tells its run: written to the run's folder by the first process, and passed on."""

    loop: Loop

    def __init__(self, run: _Run, corpus: Corpus) -> None:
        self.run, self.corpus, self.first = run, corpus, run.processes.first

    def line(self, values: dict[str, Any]) -> int:
        """Adds to metrics.jsonl, and says how large that is."""
        if not self.first:
            return 0
        with open(self.run.out / run_folder.METRICS, "ab") as file:
            file.write(json.dumps(values).encode() + b"\n")
            size = file.tell()
        self.run.watch(Progress("training", self.loop.share(), line=values))
        return size

    def keep(self, seen: HeldOutFigures, step: int) -> None:
        """Puts the net away, which is at its best so far."""
        weights, run = self.loop.weights(), self.run  # every process must ask for them
        if self.first:
            about = about_run(self.loop, self.corpus, run.recipe, seen, step, None)
            card = model_card.text(about, self.corpus.modality, self.loop.net.config)
            folder.write(run.out, self.loop.net.config, weights, self.corpus.modality, about, card)

    def settled(self, config: TrainConfig) -> None:
        """Writes down what the clock has decided."""
        self.run.recipe = replace(self.run.recipe, train=config)
        if self.first:
            self.run.recipe.write(self.run.out / run_folder.RECIPE)
