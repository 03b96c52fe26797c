"""A fresh net begins at what counting knows of the training pictures, and floors are counted on them alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from maskwright.modalities.image.config import ImageConfig
from maskwright.modalities.image.modality import ImageModality
from maskwright.modalities.image.pixels import Image
from maskwright.model.folder import build
from maskwright.nets.encoder import NetConfig
from maskwright.records.record import Origin, Record
from maskwright.records.shards import Shards, Writer
from maskwright.tokens import Batch, collate
from maskwright.tokens.masking import at_random


def written(folder: Path, count: int) -> tuple[ImageModality, Shards, Batch]:
    """Smooth pictures on disk, and the last ones, which no training sees, as a batch."""
    rng, (y, x) = np.random.default_rng(0), np.mgrid[:16, :24]
    waves = [np.sin(x / 6 + k) * 20 + np.cos(y / 5 - k) * 20 + rng.normal(0, 2, x.shape) for k in range(count)]
    pictures = [np.stack([wave + level for level in (60, 120, 180)], axis=2).astype(np.uint8) for wave in waves]
    records = [Record(Image(pixels), Origin(f"{n}")) for n, pixels in enumerate(pictures)]
    modality = ImageModality()
    modality.configure(ImageConfig(patch=4))
    modality.fit(records, 1)
    writer = Writer(folder, modality.columns)
    for record, cut in zip(records, modality.tokenise(records), strict=True):
        writer.add(cut.columns, cut.shape, key=record.key, fold=record.key, group=0, size=modality.size(record))
    writer.close()
    return modality, Shards(folder), collate(modality.encode(records[-10:]), range(10))


def test_floors_are_names_of_what_counting_reaches_edges_below_frequencies(tmp_path: Path) -> None:
    modality, shards, fresh = written(tmp_path, 50)
    floors = modality.baseline.floors(shards, np.arange(40))
    mask = at_random(fresh, 0.15, 1)
    nats = {name: floor(fresh, mask) for name, floor in floors.items()}
    assert set(nats) == {"frequency", "neighbours"}
    assert all(len(each) == len(mask.target) and np.isfinite(each).all() for each in nats.values())
    assert nats["neighbours"].mean() < nats["frequency"].mean()
    again = modality.baseline.floors(shards, np.arange(40))["neighbours"](fresh, mask)
    assert np.array_equal(again, nats["neighbours"])


@torch.no_grad()
def test_a_fresh_net_takes_every_hidden_pixel_for_its_channels_mean(tmp_path: Path) -> None:
    torch.manual_seed(0)
    modality, shards, fresh = written(tmp_path, 50)
    net = build(modality, modality.shaped(NetConfig(width=16, layers=2, heads=2, ff=16, length=64), {})).eval()
    mask = at_random(fresh, 0.3, 1)
    truth = {name: array[mask.target] for name, array in fresh.values.items()}
    before = net(fresh, mask.hidden, mask.target).nll(truth).mean()
    modality.baseline.start(net, shards, np.arange(40))
    begun = net(fresh, mask.hidden, mask.target)
    levels = begun.mode()["pixels"].view(-1, 16, 3).double().mean((0, 1))
    assert (levels - torch.tensor([60.0, 120.0, 180.0])).abs().max() < 6
    assert begun.nll(truth).mean() < before - 10
