"""Held-out figures are taken at the same positions whenever they are taken, and mean the same in every run."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from maskwright.modalities.text.modality import TextModality
from maskwright.model import folder
from maskwright.records.shards import Shards
from maskwright.training.validation import validation_batches, validation_set
from tests.training.conftest import LITTLE

Cut = tuple[TextModality, Shards]
LOOK, TRAIN = np.arange(0, 301, 5), np.setdiff1d(np.arange(301), np.arange(0, 301, 5))


def test_a_sixth_or_so_of_the_tokens_is_asked_for_and_never_what_frames_them(cut_texts: Cut) -> None:
    made, tokens_a_byte = validation_batches(*cut_texts, LOOK, 32, 60_000, seed=0)
    assert sum(len(mask.target) for _, mask in made) / sum(int(b.maskable.sum()) for b, _ in made) == pytest.approx(
        0.15, abs=0.02
    )
    assert sum(int(b.maskable.sum()) for b, _ in made) == cut_texts[1].lengths[LOOK].sum()
    assert all(batch.maskable[mask.target].all() for batch, mask in made)
    assert tokens_a_byte == pytest.approx(cut_texts[1].lengths[LOOK].sum() / cut_texts[1].sizes[LOOK].sum())


def test_positions_depend_on_the_records_and_the_seed_and_not_on_how_they_are_batched(cut_texts: Cut) -> None:
    def asked(seed: int, batch_tokens: int) -> list[list[int]]:
        made, _ = validation_batches(*cut_texts, LOOK, 32, 2000, seed, batch_tokens)
        assert 2000 <= sum(int(batch.maskable.sum()) for batch, _ in made) < 2032
        return [batch.values["id"][mask.target].tolist() for batch, mask in made]

    few, many = asked(0, 8192), asked(0, 100)
    assert len(few) == 1 < len(many)
    assert few[0] == [target for targets in many for target in targets]
    assert asked(1, 8192) != few


def test_a_look_changes_nothing_and_compares_a_net_with_counting(cut_texts: Cut) -> None:
    modality, shards = cut_texts
    held = validation_set(modality, shards, TRAIN, LOOK, 32, 60_000, seed=0)
    net = folder.build(modality, LITTLE)
    modality.baseline.start(net, shards, TRAIN)
    weights = {name: t.clone() for name, t in net.state_dict().items()}
    seen = held.look(net)
    assert seen == held.look(net)
    assert all(torch.equal(t, weights[name]) for name, t in net.state_dict().items())
    assert seen.bits_per_byte == pytest.approx(seen.nats * held.bits_per_nat)
    assert 0 < seen.top1 < seen.top5 < 0.5
    assert (seen.floor_frequency, seen.floor_neighbours) == (held.floors["frequency"], held.floors["neighbours"])
    assert 0 < held.floors["neighbours"] < held.floors["frequency"]
    assert seen.bits_per_byte == pytest.approx(held.floors["frequency"], rel=0.02)  # a net begins where that ends
