"""How fast this machine trains: a few real steps of a net, timed.

In: a fitted modality, its shards, a net's shape, where and in what precision. Out: a `Speed`. The steps are those of a run
(batch, mask, loss, optimiser) on its own data, so that what is slow there is slow here. Nothing is kept of that net.
"""

from __future__ import annotations

import time

import torch

from maskwright.modalities.base import Modality
from maskwright.model import folder
from maskwright.records.shards import Shards
from maskwright.system.device import matrix_rate, synchronise
from maskwright.tokens import Array
from maskwright.training.batches import Order
from maskwright.training.cost_model import Speed, Work
from maskwright.training.distributed import ProcessGroup
from maskwright.training.optimiser import Optimiser
from maskwright.training.schedule import TrainConfig

STEPS = 4
"""Number of training steps that are timed: the best counts, since the first warm up, and machines are shared."""


def measure_speed(
    work: Work, modality: Modality, shards: Shards, records: Array, place: torch.device, dtype: torch.dtype
) -> Speed:
    """From steps of the net that `work` tells of, on training `records` of the shards."""
    config = TrainConfig(batch_tokens=work.batch_tokens)
    order = Order(modality, shards, records, work.net.length, config, modality.mask, ProcessGroup())
    torch.manual_seed(0)
    net = folder.build(modality, work.net).to(place)
    net.dtype = dtype
    objective, optimiser = ProcessGroup().objective(net), Optimiser(net, config.weight_decay, dtype)
    best = float("inf")
    for step in range(STEPS):
        batch, mask, _ = order(step, config)
        synchronise(place)
        begun = time.perf_counter()
        objective(batch, mask, float(mask.weight.sum()))["loss"].backward()
        optimiser.clip(config.clip)
        optimiser.step(config.lr)
        synchronise(place)
        best = min(best, (time.perf_counter() - begun) / len(batch))
    return Speed.of(best, work, matrix_rate(dtype, place))
