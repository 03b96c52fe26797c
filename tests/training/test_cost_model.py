"""What a step costs is what a timed step says, and grows with the net, the batch and the records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.modalities.base import Modality
from maskwright.modalities.detect import modality
from maskwright.modalities.image.pixels import Image
from maskwright.modalities.scaling_law import ScalingLaw
from maskwright.model import folder as folders
from maskwright.records.record import Origin, Record
from maskwright.runs.sizing import nets
from maskwright.training.cost_model import Speed, Work

RECORDS = np.array([5, 60, 700, 30])


@pytest.fixture(scope="module")
def text(folder: Path) -> Modality:
    made = modality("text")
    made.load(folder)
    return made


def work(text: Modality, width: int, length: int = 128, batch: int = 2048) -> Work:
    (net,) = nets({"net.width": width}, length, text)
    return Work.of(text, net, batch, RECORDS)


def test_parameters_are_those_of_the_net(text: Modality) -> None:
    (net,) = nets({"net.width": 128}, 128, text)
    made = folders.build(text, net)
    found = Work.of(text, net, 2048, RECORDS)
    assert found.parameters == sum(p.numel() for p in made.parameters())
    assert found.matrices == sum(p.numel() for p in made.encoder.parameters() if p.dim() == 2)


def test_a_decoder_reads_all_tokens_and_the_encoder_what_is_shown() -> None:
    picture = modality("image")
    picture.fit([Record(Image(np.zeros((8, 8, 3), dtype=np.uint8)), Origin("one"))], 1)
    (net,) = nets({"net.width": 64, "net.layers": 3}, 64, picture)
    made = folders.build(picture, net)
    found = Work.of(picture, net, 2048, RECORDS)
    assert made.decoder is not None
    assert found.parameters == sum(p.numel() for p in made.parameters())
    whole = 6 * (found.matrices + found.hidden * found.around)
    assert found.hidden == 0.5
    assert found.flops == pytest.approx(whole - 6 * found.sides[0] / 2)


def test_a_token_reads_its_piece_or_its_window(text: Modality) -> None:
    (net,) = nets({"net.width": 64, "net.layers": 3, "net.window": 16}, 64, text)
    found = Work.of(text, net, 2048, np.array([62, 62, 62]))
    assert found.keys == pytest.approx((64 + 16 + 16) / 3)


@given(st.floats(1e-6, 1e-3))
def test_the_step_that_was_timed_costs_what_it_took(text: Modality, seconds: float) -> None:
    likely = work(text, 192)
    assert Speed.of(seconds, likely, 0.4e12).seconds(likely) == pytest.approx(seconds)


def test_costs_grow(text: Modality) -> None:
    speed = Speed(0.4e12, 16e-9)
    sizes = [work(text, width) for width in (64, 128, 256, 512)]
    for measure in (speed.seconds, lambda w: w.memory(2), lambda w: w.disk()):
        found = [measure(w) for w in sizes]
        assert found == sorted(found)
    assert work(text, 128, batch=8192).memory(2) > work(text, 128).memory(2)
    assert speed.seconds(work(text, 128, batch=8192)) < speed.seconds(work(text, 128))  # Muon is paid once a step
    assert speed.seconds(work(text, 128, length=512)) > speed.seconds(work(text, 128))


@given(st.integers(10_000, 10**9), st.floats(1e4, 1e12), st.integers(10_000, 10**10))
def test_more_of_anything_is_never_expected_to_be_worse(matrices: int, tokens: float, own: int) -> None:
    here = ScalingLaw().loss(matrices, tokens, own)
    assert here > 0
    assert ScalingLaw().loss(matrices * 2, tokens, own) <= here
    assert ScalingLaw().loss(matrices, tokens * 2, own) <= here
    assert ScalingLaw().batch(tokens) <= ScalingLaw().batch(tokens * 2)
