"""What a budget would bring, before it is spent: the net, how often it would see the data, its loss, memory and disk.

In: the options of `train` that bear on size and time. Out: a row each for half the budget, the budget and double. A sample
of the records is tokenised, and a step of a likely net is timed; the rest is the arithmetic by which `train` chooses.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from maskwright import modalities
from maskwright.errors import RecipeError
from maskwright.records.split import split
from maskwright.runs import run_folder, sizing
from maskwright.runs.request import Data, asked, on_this_machine
from maskwright.system.device import device_memory, torch_device
from maskwright.system.process import flush_denormals
from maskwright.training import scaling_law
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

    `report` hears what a person reads. `bits_per_byte` is None for pictures, and from a checkpoint. Raises MaskwrightError.
    """
    wanted = asked(
        data, settings, {"budget": budget, "steps": None, "tokens": None}, field=field, group=group, record=record,
        modality=modality, tokenizer=tokenizer, init=init, extend_vocab=extend_vocab, on_bad=on_bad, device=device,
    )  # fmt: skip
    recipe, given = wanted.recipe, wanted.given
    if not recipe.budget:
        raise RecipeError("plan says what a time would buy: leave train.steps out")
    budgeted = sizing.seconds(recipe.budget)
    cutter = modalities.modality(recipe.modality)
    cutter.configure(getattr(recipe, cutter.section))
    there = cutter.checkpoint(Path(recipe.init)) if recipe.init else None
    config, words = on_this_machine(recipe.train)
    for said in filter(None, (words, wanted.words)):
        if report:
            report(said)
    place, dtype = torch_device(config.device), getattr(torch, config.dtype)
    torch.set_num_threads(config.threads)
    with flush_denormals(), run_folder.kernels(config), tempfile.TemporaryDirectory(prefix="maskwright-") as folder:
        source = replace(recipe.data.source(report, wanted.values), form=cutter.form)
        found = sample(source, cutter, Path(folder), SAMPLE_BYTES)
        parts = split(found.shards, config.held_out)
        held = validation_set(
            cutter, found.shards, parts.train, parts.held["look"], sizing.REACH[-1], LOOK_TOKENS, config.seed
        )
        records = found.shards.lengths[parts.train]
        timed: list[Speed] = []
        room = sizing.Place(device_memory(place), dtype.itemsize)

        def probe(likely: sizing.Choice) -> Speed:
            if not timed:
                timed.append(measure_speed(likely.work, cutter, found.shards, parts.train, place, dtype))
            return timed[0]

        rows = []
        for share in SHARES:
            length = sizing.Length(max(budgeted * share - found.seconds, 1.0), batch_tokens=given.get("train.batch_tokens"))
            choice = sizing.choose(length, given, there, cutter, records, probe, room, found.share)
            row = _row(choice, timed[0], dtype, found, records.sum() / found.share, held.floors["neighbours"])
            rows.append({"seconds": round(budgeted * share)} | row)
            if there or not cutter.exact:  # the rule is of texts (docs/how-it-works.md)
                rows[-1] |= dict.fromkeys(("bits_per_byte", "low", "high"))
    return rows


def _row(
    choice: sizing.Choice, speed: Speed, dtype: torch.dtype, found: Sample, tokens: float, floor: float
) -> dict[str, Any]:
    """What a choice comes to, for a corpus of so many tokens of which counting needs `floor` bits a byte."""
    bits = floor * choice.loss
    return {
        "width": choice.net.width, "layers": choice.net.layers, "parameters": choice.work.parameters,
        "length": choice.net.length, "batch_tokens": choice.batch_tokens,
        "tokens_per_s": round(1 / speed.seconds(choice.work)), "steps": round(choice.tokens / choice.batch_tokens),
        "epochs": round(choice.tokens / tokens, 1), "bits_per_byte": round(bits, 3),
        "low": round(bits / scaling_law.SPREAD, 3), "high": round(bits * scaling_law.SPREAD, 3),
        "floor_neighbours": round(floor, 3),
        "memory_mb": round(choice.work.memory(dtype.itemsize) / 1e6),
        "disk_mb": round((choice.work.disk() + found.shards.nbytes / found.share) / 1e6),
    }  # fmt: skip
