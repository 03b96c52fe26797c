"""One training run: data to tokens, a plan, the loop, calibration, a finished model folder.

In: what to train on, where to, and how long. Out: the folder. Here, and only here, the parts meet: each of them knows
its own configuration, and this file hands it over. Whatever happens, the folder is left so that `resume` can go on.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from maskwright import card, folder, modalities, plan
from maskwright.errors import DataError, ModelError, RecipeError, RunError
from maskwright.files import LOCK, clear_leftovers, locked, write_whole
from maskwright.infer import calibration
from maskwright.infer.reader import Reader
from maskwright.modalities.base import Modality
from maskwright.model import Model, load
from maskwright.nets import native
from maskwright.process import Stop, keep_memory, stoppable
from maskwright.recipe import Recipe, parsed
from maskwright.records.read import Source
from maskwright.records.split import Split, split
from maskwright.tokens import Tokens
from maskwright.tokens import split as apart
from maskwright.training import checkpoint
from maskwright.training.data import Order, batch_of, cut, held_out_batches
from maskwright.training.loop import HeldOut, Hooks, Loop, Pace, bits
from maskwright.training.prepare import Prepared, cores, fingerprint, prepare
from maskwright.training.schedule import TrainConfig

DEFAULT_BUDGET, SLOTS = "10m", 2000
CALIBRATION_SHARE = 0.9
"""of the time that is left after training"""
LEFT_TO_THE_RUN = {"train.threads": 0, "train.dtype": "auto", "train.kernels": "auto", "calibration.slots": 0}
"""values that the recipe as written replaces by what was chosen"""
CHECKPOINTS, DATA, RECIPE, METRICS, PLACE = "checkpoints", "data", "recipe.toml", "metrics.jsonl", "place.json"


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
    data: str | os.PathLike[str] | Sequence[str] | None = None,
    *,
    out: str | os.PathLike[str],
    budget: str | None = None,
    steps: int | None = None,
    tokens: int | None = None,
    field: str | None = None,
    group: str | None = None,
    held_out: str | None = None,
    record: str | None = None,
    modality: str | None = None,
    tokenizer: str | None = None,
    resume: bool = False,
    on_bad: str | None = None,
    settings: Sequence[str] = (),
    watch: Watcher | None = None,
) -> Model:
    """Trains a model on `data` (a file, a folder, "-", or several of them) into the folder `out`, and returns it.

    The length of the run is `budget` (wall time to the finished folder: "90s", "10m", "2h"; ten minutes unless told
    otherwise), or `steps`, or `tokens`. `settings` change single keys of the recipe ("train.lr=3e-4"). With `resume` a
    run that was stopped or killed goes on where its last checkpoint stands; then `data` and the rest may be left out.

    Raises MaskwrightError: DataError, RecipeError, RunError (Interrupted where the user stopped it).
    """
    begun = time.monotonic()
    paths = () if data is None else (os.fspath(data),) if isinstance(data, (str, os.PathLike)) else tuple(data)
    if sum(choice is not None for choice in (budget, steps, tokens)) > 1:
        raise RecipeError("choose one of budget, steps and tokens")
    for name, number in (("steps", steps), ("tokens", tokens)):
        if number is not None and number < 1:
            raise RecipeError(f"--{name} {number}: must be at least 1")
    if budget is not None:
        plan.seconds(budget)
    given = {
        "data.paths": paths or None, "data.field": field, "data.group": group, "data.held_out": held_out,
        "data.record": record, "data.on_bad": on_bad, "tokenizer.path": tokenizer,
        "modality": None if modality == "auto" else modality,
    } | parsed(settings)  # fmt: skip
    given = plan.completed({key: value for key, value in given.items() if value is not None})
    # What `plan` will choose may go with a given number of heads where the default width doesn't.
    asked = Recipe().with_values({k: v for k, v in given.items() if k != "net.heads" or "net.width" in given})
    modalities.modality(asked.modality)
    if "train.steps" in given:
        if budget or steps or tokens:
            raise RecipeError("train.steps is given twice over: leave out --budget, --steps and --tokens, or the setting")
        steps = asked.train.steps
    asked = replace(asked, budget="" if steps or tokens else budget or DEFAULT_BUDGET)
    length = {"budget": budget, "steps": steps, "tokens": tokens}
    run = _Run(Path(out), asked, given, length, begun, watch or (lambda news: None))
    try:
        return run.go(resume)
    except (DataError, ModelError, RecipeError):
        run.leave_nothing()
        raise
    except OSError as error:
        where, what = error.filename or out, error.strerror or error
        raise RunError(f"{where}: {what}; what was saved is whole: mend it, then go on with --resume") from None


class _Run:
    def __init__(
        self, out: Path, asked: Recipe, given: dict[str, Any], length: dict[str, Any], begun: float, watch: Watcher
    ) -> None:
        self.out, self.recipe, self.given, self.length = out, asked, given, length
        self.begun, self.watch = begun, watch
        self.checkpoints = out / CHECKPOINTS

    def go(self, resume: bool) -> Model:
        self._open(resume)
        with locked(self.out), stoppable() as stop:
            clear_leftovers(self.out)
            if resume and self._finished():
                self._clear()
                self.watch(News("done", words=f"{self.out}: finished already; nothing to do"))
                return load(self.out)
            planned = resume and (self.out / RECIPE).is_file()
            if planned:
                self._take_up()
            if not self.recipe.data.paths:
                raise RunError(f"{self.out}: nothing to resume there; name the data to train on")
            torch.set_num_threads(self.recipe.train.threads or cores())
            modality, prepared = self._prepare(planned)
            parts = split(prepared.shards, self.recipe.train.held_out, prepared.own)
            if not planned:
                self._plan(prepared, parts, modality)
            torch.set_num_threads(self.recipe.train.threads)
            self._settle_kernels()
            loop = self._loop(modality, prepared, parts, stop)
            self._place(prepared, loop, resume)
            keep_memory()
            loop.run()
            stop.at_once("stopped while calibrating; the same command with --resume goes on there")
            native.use(True)
            return self._finish(loop, modality, prepared, parts)

    def leave_nothing(self) -> None:
        """Where nothing was begun, the folder is as it was: a corrected command finds no leftovers in its way."""
        if not (self.out / RECIPE).exists() and not (self.out / folder.ABOUT).exists():
            shutil.rmtree(self.checkpoints / DATA, ignore_errors=True)
            (self.out / LOCK).unlink(missing_ok=True)
            for path in (self.checkpoints, self.out):  # what somebody else put there stays
                if path.is_dir() and not any(path.iterdir()):
                    path.rmdir()

    # Before training

    def _open(self, resume: bool) -> None:
        if self.out.exists() and not self.out.is_dir():
            raise RunError(f"--out {self.out}: is a file; name a folder")
        there = {p.name for p in self.out.iterdir()} if self.out.exists() else set()
        if not resume and there - {LOCK}:
            raise RunError(f"--out {self.out}: exists; name another folder, or go on with --resume")
        if resume and there and not there & {LOCK, RECIPE, folder.ABOUT}:
            raise RunError(f"--out {self.out}: exists and holds no run to resume; name another folder")
        if resume and not self.out.exists() and not self.recipe.data.paths:
            raise RunError(f"--out {self.out}: no such run to resume")
        for path in (*self.recipe.data.paths, self.recipe.data.held_out, self.recipe.tokenizer.path):
            if path and path != "-" and not os.path.exists(path):
                raise RunError(f"{path}: no such file or folder")
        self.out.mkdir(parents=True, exist_ok=True)

    def _finished(self) -> bool:
        path = self.out / folder.ABOUT
        return path.is_file() and bool(folder.read_about(self.out).get("finished"))

    def _take_up(self) -> None:
        """The recipe of the run that is there, with which repeated options must agree."""
        old = Recipe.read(self.out / RECIPE)
        steps = plan.steps(plan.Length(None, self.length["steps"], self.length["tokens"]), old.train)
        again = self.given | {"budget": self.length["budget"], "train.steps": steps}
        for key, value in again.items():
            if value is not None and value != LEFT_TO_THE_RUN.get(key) and value != old[key]:
                raise RunError(
                    f"{self.out} was begun with {key} = {old[key]!r}, not {value!r}; leave the option out to go on"
                )
        self.recipe = old

    def _prepare(self, planned: bool) -> tuple[Modality, Prepared]:
        data = self.recipe.data
        skipped: set[str] = set()

        def report(message: str) -> None:
            if message not in skipped and len(skipped) < 5:  # files are read twice
                self.watch(News("reading", words=f"skipped: {message}"))
            skipped.add(message)

        source = Source(
            paths=data.paths, field=data.field or None, group=data.group or None, grain=data.record or None,
            on_bad=data.on_bad, report=report,
        )  # fmt: skip
        held = replace(source, paths=(data.held_out,), group=None) if data.held_out else None
        modality = modalities.modality(self.recipe.modality)
        modality.configure(getattr(self.recipe, modality.section))
        # Standard input can't be read again.
        begun = planned and ("-" in data.paths or any(self.checkpoints.glob("step-*.safetensors")))
        prepared = prepare(
            source, held, modality, self.checkpoints / DATA, lambda what, n: self.watch(News(what, size=n)), begun
        )
        if prepared.changed:
            self.watch(News("reading", words="the data has changed since this run began; it goes on with what it read then"))
        if len(skipped) > 5:
            self.watch(News("reading", words=f"skipped {len(skipped)} in all"))
        if prepared.stretched:
            self.watch(News("reading", words="few documents: stretches of them are held out, not whole ones"))
        return modality, prepared

    def _plan(self, prepared: Prepared, parts: Split, modality: Modality) -> None:
        """Fills in what was not asked for; from here on the recipe says everything."""
        left = None
        if self.recipe.budget:  # reading alone may have taken all of it: then the least is trained
            left = max(plan.seconds(self.recipe.budget) - (time.monotonic() - self.begun), 1.0)
        length = plan.Length(left, self.length["steps"], self.length["tokens"])
        net, config = plan.shape(length, prepared.shards.lengths[parts.train], modality.frame_size)
        new = replace(self.recipe, net=net, train=config).with_values(self.given)
        new = replace(new, train=plan.schedule(length, new.net, new.train)).with_values(self.given)
        kernels = new.train.kernels
        if kernels == "auto":
            found, why = native.library()
            kernels = "native" if found else "torch"
            if not found:
                self.watch(News("training", words=f"{why}: training does without them, and takes half as long again"))
        dtype = str(plan.dtype()).removeprefix("torch.") if new.train.dtype == "auto" else new.train.dtype
        threads = new.train.threads or cores()
        slots = new.calibration.slots or (0 if new.budget else SLOTS)
        self.recipe = replace(
            new,
            train=replace(new.train, dtype=dtype, threads=threads, kernels=kernels),
            calibration=calibration.CalibrationConfig(slots=slots),
        )
        self.recipe.write(self.out / RECIPE)

    def _settle_kernels(self) -> None:
        wanted = self.recipe.train.kernels == "native"
        found, why = native.library()
        if wanted and not found:
            raise RunError(f"train.kernels = native, and here are none: {why}; train to another --out without the setting")
        native.use(wanted)

    def _place(self, prepared: Prepared, loop: Loop, resume: bool) -> None:
        """A run goes on exactly only where data, torch and chip are what they were: says so where they are not."""
        here: dict[str, Any] = {
            "data": fingerprint(prepared.shards),
            "torch": torch.__version__,
            "chip": torch.backends.cpu.get_cpu_capability(),
            "kernels": native.library()[1] if self.recipe.train.kernels == "native" else "torch",
            "cores": cores(),
        }
        path = self.checkpoints / PLACE
        found = checkpoint.latest(self.checkpoints) if resume else None
        if found is None:
            (self.out / METRICS).write_bytes(b"")
            write_whole(path, json.dumps(here).encode())
            return
        was = json.loads(path.read_text())
        for name, value in here.items():
            if was[name] != value and name != "cores":
                raise RunError(
                    f"{self.out}: can't go on exactly: {name} was {was[name]}, is {value}; train to another --out"
                )
        if self.recipe.train.threads > here["cores"]:
            raise RunError(
                f"{self.out}: can't go on exactly: it runs on {self.recipe.train.threads} threads, here are"
                f" {here['cores']} cores; go on where there are as many"
            )
        loop.load(*found)
        if loop.pace:
            loop.pace.begun -= loop.state.elapsed
        with open(self.out / METRICS, "ab") as file:
            file.truncate(loop.state.lines)
        self.watch(News("training", words=f"going on from step {loop.state.step} of {loop.config.steps}"))

    # Training

    def _loop(self, modality: Modality, prepared: Prepared, parts: Split, stop: Stop) -> Loop:
        recipe, shards = self.recipe, prepared.shards
        self.watch(News("counting"))
        batches, tokens_a_byte = held_out_batches(
            modality, shards, parts.held["look"], recipe.net.length, recipe.train.look_tokens, recipe.train.seed
        )
        bits_per_nat = tokens_a_byte / float(np.log(2))
        floors = {n: bits(f, batches, bits_per_nat) for n, f in modality.floors(shards, parts.train).items()}
        torch.manual_seed(recipe.train.seed)
        net = folder.build(modality, recipe.net)
        modality.start(net, shards, parts.train)
        net.dtype = getattr(torch, recipe.train.dtype)
        order = Order(modality, shards, parts.train, recipe.net.length, recipe.train, recipe.mask)
        held = HeldOut(batches, bits_per_nat, floors)
        pace = None
        if recipe.budget:
            pace = Pace(self.begun, plan.seconds(recipe.budget) * (1 - plan.FINISH_SHARE), plan.DECAY_SHARE)

        def line(values: dict[str, Any]) -> int:
            with open(self.out / METRICS, "ab") as file:
                file.write(json.dumps(values).encode() + b"\n")
                size = file.tell()
            self.watch(News("training", loop.share(), line=values))
            return size

        def keep(seen: dict[str, float], step: int) -> None:
            folder.write(self.out, net, modality, *self._about(loop, prepared, parts, seen, step, None))

        def settled(config: TrainConfig) -> None:
            self.recipe = replace(self.recipe, train=config)
            self.recipe.write(self.out / RECIPE)

        hooks = Hooks(line, keep, settled, lambda: stop.asked)
        loop = Loop(net, order, held, recipe.train, hooks, self.checkpoints, pace)
        loop.begun = self.begun
        stop.politely()
        return loop

    # After training

    def _finish(self, loop: Loop, modality: Modality, prepared: Prepared, parts: Split) -> Model:
        state = loop.state
        self.watch(News("calibrating"))
        net, _, about = folder.read(self.out)
        reader = Reader(net, modality)
        shown = {name: self._held_out(modality, prepared, parts, name, reader.most) for name in ("fit", "level")}
        if not self.recipe.calibration.slots:
            left = plan.seconds(self.recipe.budget) - loop.state.elapsed - (time.monotonic() - self.begun)
            slots = calibration.affordable(reader, shown["fit"], left * CALIBRATION_SHARE)
            self.recipe = replace(self.recipe, calibration=calibration.CalibrationConfig(slots=slots))
            self.recipe.write(self.out / RECIPE)
        fitted = calibration.fit(reader, shown["fit"], shown["level"], self.recipe.calibration, self.recipe.train.seed)
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
        return load(self.out)

    def _clear(self) -> None:
        recipe = Recipe.read(self.out / RECIPE)
        if not recipe.train.keep_checkpoints:
            shutil.rmtree(self.checkpoints, ignore_errors=True)

    def _held_out(self, modality: Modality, prepared: Prepared, parts: Split, name: str, most: int) -> list[Tokens]:
        """Pieces of a held-out part, as many as calibration can use."""
        records = parts.held[name]
        pieces = cut(records, prepared.shards.lengths[records], most, np.zeros(len(records), dtype=np.int64))
        chosen = np.random.default_rng((self.recipe.train.seed, 3)).permutation(len(pieces.record))
        chosen = chosen[: np.searchsorted(np.cumsum(pieces.length[chosen]), 2_000_000) + 1]
        return apart(batch_of(modality, prepared.shards, pieces[np.sort(chosen)], frame=False))

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
                "paths": [Path(p).name if p != "-" else "standard input" for p in self.recipe.data.paths],
                "records": prepared.records, "bytes": prepared.bytes, "duplicates": parts.duplicates,
                "held_out_records": len(np.unique(parts.held_out)), "own_held_out": parts.own_held_out,
                "parted": parts.parted, "stretched": prepared.stretched,
            },
            "calibration": fitted.to_json() if fitted else None,
        }  # fmt: skip
        return about, card.text(about, self.recipe.modality, asdict(loop.net.config))
