"""What a budget would bring, before it is spent: the net, how often it would see the data, its loss, memory and disk.

In: a source of records and a budget. Out: a row each for half the budget, the budget and double. A sample of the records is
tokenised, and a step of a likely net is timed; the rest is the arithmetic by which `train` chooses.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch

from maskwright import modalities, plan
from maskwright.nets import machine
from maskwright.records.read import Source
from maskwright.records.split import split
from maskwright.training import scaling
from maskwright.training.costs import Speed
from maskwright.training.held_out import held_out
from maskwright.training.prepare import cores, sample
from maskwright.training.probe import speed
from maskwright.training.schedule import TrainConfig

SAMPLE_BYTES, LOOK_TOKENS = 12_000_000, 30_000
SHARES = (0.5, 1.0, 2.0)


def outlook(source: Source, budget: str, device: str = "auto") -> list[dict[str, Any]]:
    """Raises DataError, RecipeError."""
    asked = plan.seconds(budget)
    modality, _ = modalities.detect(source)
    config, place = TrainConfig(), machine.device(device)
    torch.set_num_threads(cores())
    dtype = machine.precision(place)
    with tempfile.TemporaryDirectory(prefix="maskwright-") as folder:
        found = sample(source, modality, Path(folder), SAMPLE_BYTES)
        parts = split(found.shards, config.held_out)
        held = held_out(modality, found.shards, parts.train, parts.held["look"], plan.REACH[-1], LOOK_TOKENS, config.seed)
        records = found.shards.lengths[parts.train]
        timed: list[Speed] = []

        def probe(likely: plan.Choice) -> Speed:
            if not timed:
                timed.append(speed(likely.work, modality, found.shards, parts.train, place, dtype))
            return timed[0]

        rows = []
        for share in SHARES:
            length = plan.Length(max(asked * share - found.seconds, 1.0))
            nets = plan.nets({}, plan.reach(length, records, modality.frame_size))
            room = plan.Place(machine.memory(place), dtype.itemsize)
            choice = plan.choose(length, nets, modality, records, probe, room, share=found.share)
            bits = held.floors["neighbours"] * choice.loss
            own = records.sum() / found.share
            rows.append({
                "seconds": round(asked * share), "width": choice.net.width, "layers": choice.net.layers,
                "parameters": choice.work.parameters, "length": choice.net.length, "batch_tokens": choice.batch_tokens,
                "tokens_per_s": round(1 / timed[0].seconds(choice.work)),
                "steps": round(choice.tokens / choice.batch_tokens), "epochs": round(choice.tokens / own, 1),
                "bits_per_byte": round(bits, 3), "low": round(bits / scaling.SPREAD, 3),
                "high": round(bits * scaling.SPREAD, 3), "floor_neighbours": round(held.floors["neighbours"], 3),
                "memory_mb": round(choice.work.memory(dtype.itemsize) / 1e6),
                "disk_mb": round((choice.work.disk() + found.shards.nbytes / found.share) / 1e6),
            })  # fmt: skip
    return rows
