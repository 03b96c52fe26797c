"""What a budget would bring, before it is spent: the net, how often it would see the data, its loss, memory and disk.

In: the options of `train` that bear on size and time. Out: a row each for half the budget, the budget and double. A sample
of the records is tokenised, and a step of a likely net is timed; the rest is the arithmetic by which `train` chooses.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from maskwright.errors import RecipeError
from maskwright.modalities import detect
from maskwright.modalities.scaling_law import ScalingLaw
from maskwright.records.split import split
from maskwright.runs import run_folder, sizing
from maskwright.runs.machine import on_this_machine
from maskwright.runs.request import Data, TrainRequest, resolve
from maskwright.system.device import device_memory, torch_device
from maskwright.system.process import flush_denormals
from maskwright.training.cost_model import Speed
from maskwright.training.prepare import Sample, sample
from maskwright.training.step_timing import measure_speed
from maskwright.training.validation import validation_set

SAMPLE_BYTES, LOOK_TOKENS = 12_000_000, 30_000
SHARES = (0.5, 1.0, 2.0)


def plan(
    data: Data,
    *,
    budget: str | None = None,
    field: str | None = None,
    group: str | None = None,
    record: str | None = None,
    separator: str | None = None,
    header: bool | None = None,
    quote: str | None = None,
    encoding: str | None = None,
    modality: str | None = None,
    tokenizer: str | os.PathLike[str] | None = None,
    init: str | os.PathLike[str] | None = None,
    extend_vocab: int | None = None,
    on_bad: str | None = None,
    settings: Sequence[str] = (),
    device: str | None = None,
    report: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """What `train` would make of `data` with half of `budget`, with it, and with double: options as there.

    `report` hears what a person reads. `bits_per_byte` is None where no law says what a net of this kind of data learns
    (pictures), and from a checkpoint. Raises MaskwrightError.

        >>> [row["seconds"] for row in plan("tickets.csv", field="text", budget="10m")]
        [300, 600, 1200]
    """
    request = TrainRequest(
        data=data, budget=budget, field=field, group=group, record=record, separator=separator, header=header, quote=quote,
        encoding=encoding, modality=modality, tokenizer=tokenizer, init=init, extend_vocab=extend_vocab, on_bad=on_bad,
        settings=settings, device=device,
    )  # fmt: skip
    wanted = resolve(request)
    recipe, given, say = wanted.recipe, wanted.given, report or _silent
    if not recipe.budget:
        raise RecipeError("plan says what a time would buy", fix="leave train.steps out", option="steps")
    budgeted = sizing.seconds(recipe.budget)
    cutter = detect.modality(recipe.modality)
    cutter.configure(recipe.options)
    there = cutter.checkpoints.net_config(Path(recipe.init)) if recipe.init else None
    config, words = on_this_machine(recipe.train)
    for said in filter(None, (words, wanted.notice)):
        say(said)
    place, dtype = torch_device(config.device), getattr(torch, config.dtype)
    torch.set_num_threads(config.threads)
    with flush_denormals(), run_folder.kernels(config), tempfile.TemporaryDirectory(prefix="maskwright-") as folder:
        source = recipe.data.source(cutter.value_type, wanted.values, lambda notice: say(notice.message))
        found = sample(source, cutter, Path(folder), SAMPLE_BYTES)
        parts = split(found.shards, config.held_out)
        held = validation_set(
            cutter, found.shards, parts.train, parts.held["look"], sizing.REACH[-1], LOOK_TOKENS, config.seed
        )
        records = found.shards.lengths[parts.train]
        timed: list[Speed] = []
        room = sizing.Place(device_memory(place), dtype.itemsize)

        def time_steps(likely: sizing.Choice) -> Speed:
            if not timed:
                timed.append(measure_speed(likely.work, cutter, found.shards, parts.train, place, dtype))
            return timed[0]

        rows = []
        for share in SHARES:
            length = sizing.Length(max(budgeted * share - found.seconds, 1.0), batch_tokens=given.get("train.batch_tokens"))
            choice = sizing.choose(length, given, there, cutter, records, time_steps, room, found.share)
            floor = held.floors.get("neighbours")
            row = _sizes(choice, timed[0], dtype, found, records.sum() / found.share)
            row |= _expected(choice, floor, cutter.scaling, foretold=there is None)
            rows.append({"seconds": round(budgeted * share)} | row)
    return rows


def _silent(words: str) -> None: ...


def _expected(choice: sizing.Choice, floor: float | None, law: ScalingLaw, foretold: bool) -> dict[str, Any]:
    """Held-out bits a byte where counting needs `floor`, and between which bounds they lie; None where no law says so, or
    where the net is gone on from."""
    out: dict[str, Any] = dict.fromkeys(("bits_per_byte", "low", "high"))
    if foretold and law.spread and floor is not None:
        bits = floor * choice.loss
        out = {
            "bits_per_byte": round(bits, 3),
            "low": round(bits / law.spread, 3),
            "high": round(bits * law.spread, 3),
        }
    return out | {"floor_neighbours": None if floor is None else round(floor, 3)}


def _sizes(choice: sizing.Choice, speed: Speed, dtype: torch.dtype, found: Sample, tokens: float) -> dict[str, Any]:
    """What a choice comes to, for a corpus of so many tokens."""
    return {
        "width": choice.net.width, "layers": choice.net.layers, "parameters": choice.work.parameters,
        "length": choice.net.length, "batch_tokens": choice.batch_tokens,
        "tokens_per_s": round(1 / speed.seconds(choice.work)), "steps": round(choice.tokens / choice.batch_tokens),
        "epochs": round(choice.tokens / tokens, 1), "memory_mb": round(choice.work.memory(dtype.itemsize) / 1e6),
        "disk_mb": round((choice.work.disk() + found.shards.nbytes / found.share) / 1e6),
    }  # fmt: skip
