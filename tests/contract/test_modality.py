"""What every modality must hold, ours and anybody's: the shipped checks, on samples of each. A new one joins with a line in
SAMPLES."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from maskwright.modalities import detect
from maskwright.modalities.base import Descriptor, Modality
from maskwright.modalities.image.config import ImageConfig
from maskwright.modalities.image.pixels import Image
from maskwright.records.read import records_of
from maskwright.records.record import Origin, Record
from maskwright.testing import CHECKS, Example, Fitted, check_modality, fitted
from maskwright.tokens import Tokens, collate
from maskwright.tokens.masking import at_random
from tests.contract import dna

pytestmark = pytest.mark.filterwarnings("ignore:pictures are read as squares")


@dataclass(frozen=True)
class Sample:
    descriptor: Descriptor
    example: Example
    least: Any
    """the smallest value there is"""
    fewest: int = 1
    """tokens that it has at the most"""


def of_texts(texts: list[str]) -> Sample:
    query = "Why was my {mask} declined at the {mask}?"
    example = Example(
        texts[:400], query, lambda text: all(part.strip() in text for part in query.split("{mask}")),
        same=lambda modality, record, tokens: "".join(modality.label(tokens.values)) == record.value,
    )  # fmt: skip
    return Sample(detect.descriptor("text"), example, "")


def waves() -> tuple[list[Image], Image, np.ndarray[Any, Any]]:
    """Coloured waves of many sizes, some of them transparent at a corner; noise with a hole, and what is known of it."""
    rng, values = np.random.default_rng(0), []
    for number in range(120):
        rows, columns = rng.integers(20, 70, 2)
        y, x = np.mgrid[:rows, :columns]
        shades = np.stack([np.sin(x / rng.uniform(3, 12) + y / rng.uniform(3, 12) + c) for c in range(3)], axis=2)
        known = None if number % 5 else (y > 5) | (x > 7)
        values.append(Image((127 + 90 * shades + rng.normal(0, 3, shades.shape)).clip(0, 255).astype(np.uint8), known))
    hole = np.ones((40, 50), dtype=bool)
    hole[10:14, 12:20] = False
    return values, Image(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8), hole), hole


def of_images(texts: list[str]) -> Sample:
    values, query, hole = waves()

    def same(modality: Modality, record: Record, tokens: Tokens) -> bool:
        pixels, known = record.value.pixels, record.value.known
        known = np.ones(pixels.shape[:2], dtype=bool) if known is None else known
        (empty,) = modality.blanks(Record(Image(np.zeros_like(pixels), np.zeros_like(known)), Origin("empty")))
        return np.array_equal(modality.decode(tokens, empty).pixels[known], pixels[known])

    def kept(filled: Image) -> bool:
        return np.array_equal(filled.pixels[hole], query.pixels[hole])

    least = Image(np.zeros((1, 1, 3), dtype=np.uint8))
    return Sample(detect.descriptor("image"), Example(values, query, kept, same=same), least)


def of_squares(norm_pix: bool) -> Callable[[list[str]], Sample]:
    """The same images for a ViT-MAE, which brings each to a square."""

    def sample(texts: list[str]) -> Sample:
        values, _, _ = waves()
        whole = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        hole = np.ones((32, 32), dtype=bool)
        hole[8:16, 8:24] = False
        example = Example(
            values, Image(whole, hole), lambda filled: np.array_equal(filled.pixels[hole], whole[hole]),
            ImageConfig(family="vit_mae", side=32, norm_pix=norm_pix), lambda modality, record, tokens: len(tokens) == 16,
        )  # fmt: skip
        return Sample(detect.descriptor("image"), example, Image(np.zeros((1, 1, 3), dtype=np.uint8)), 16)

    return sample


def of_dna(texts: list[str]) -> Sample:
    same = lambda modality, record, tokens: "".join(modality.label(tokens.values)) == record.value  # noqa: E731
    return Sample(dna.DESCRIPTOR, Example(dna.sequences(200), "ACG?TTG?A", lambda s: s[:3] == "ACG", same=same), "A")


SAMPLES: dict[str, Callable[[list[str]], Sample]] = {
    "text": of_texts,
    "image": of_images,
    "vit_mae": of_squares(norm_pix=False),
    "norm_pix": of_squares(norm_pix=True),
    "dna": of_dna,
}


@dataclass(frozen=True)
class Made:
    sample: Sample
    fitted: Fitted


@pytest.fixture(scope="module", params=SAMPLES)
def made(request: pytest.FixtureRequest, texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Made:
    sample = SAMPLES[request.param](texts)
    return Made(sample, fitted(sample.descriptor, sample.example, tmp_path_factory.mktemp("shards")))


def test_every_modality_is_held_to_this(texts: list[str]) -> None:
    assert {of(texts).descriptor.name for of in SAMPLES.values()} >= set(detect.names())


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_contract(made: Made, check: Callable[[Fitted], None]) -> None:
    check(made.fitted)


def test_the_least_record_has_states(made: Made) -> None:
    own = made.fitted
    (least,) = own.modality.encode(list(records_of([made.sample.least], own.modality.value_type)))
    assert len(least) <= made.sample.fewest
    assert own.predictor.states([least])[0].shape == (len(least) + own.modality.frame_size, 32)


@pytest.mark.parametrize("place", ["cpu", "cuda"])
def test_half_precision_and_another_device_say_nearly_the_same(made: Made, place: str) -> None:
    if place == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU here")
    own = made.fitted
    batch = own.modality.frame(collate([own.modality.encode(own.records[:1])[0]], [1]))
    mask = at_random(batch, 0.3, 0)
    truth = {name: array[mask.target] for name, array in batch.values.items()}
    net = copy.deepcopy(own.net).to(place)
    with torch.no_grad():
        want = own.net(batch, mask.hidden, mask.target).nll(truth)
        for dtype, close in ((torch.float32, 1e-3), (torch.bfloat16, 0.03)):
            net.dtype = dtype
            found = net(batch, mask.hidden, mask.target).nll(truth)
            assert found.dtype == torch.float32
            torch.testing.assert_close(found.cpu(), want, rtol=close, atol=close)


def test_a_modality_that_breaks_a_law_is_told_which() -> None:
    class Forgetful(dna.DnaModality):
        """Cuts one letter fewer in bulk than alone."""

        def encode(self, records: Any) -> list[Tokens]:
            return [tokens.take(slice(1, None)) for tokens in super().encode(records)]

    broken = Descriptor(name="forgetful", value_type=dna.DESCRIPTOR.value_type, build=Forgetful)
    with pytest.raises(AssertionError, match="forgetful: check_bulk_and_single_cutting_agree: What shards store"):
        check_modality(broken, Example(dna.sequences(60), "AC?T", lambda filled: True))
