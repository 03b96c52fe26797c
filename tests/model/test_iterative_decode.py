"""Blanks by the hundred: all of them are filled once, from what is known inwards, and each draw depends on itself alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from maskwright.modalities import detect
from maskwright.modalities.base import Query
from maskwright.modalities.image.pixels import Image
from maskwright.model import folder, iterative_decode
from maskwright.model.beam_decode import DecodeConfig
from maskwright.model.predictor import Predictor
from maskwright.nets.encoder import NetConfig
from maskwright.records.record import Origin, Record

LENGTH = 64
"""windows of 8 x 8 patches"""


@pytest.fixture(scope="module")
def reader() -> Predictor:
    torch.manual_seed(0)
    modality = detect.modality("image")
    rng = np.random.default_rng(0)
    modality.fit([Record(Image(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)), Origin("one"))], 1)
    config = NetConfig(width=32, layers=2, heads=2, ff=48, length=LENGTH, global_every=1, decoder_layers=1)
    return Predictor(folder.build(modality, config).eval(), modality)


def asked(reader: Predictor, rows: int, columns: int, hole: tuple[slice, slice]) -> Query:
    rng = np.random.default_rng(1)
    known = np.ones((rows, columns), dtype=bool)
    known[hole] = False
    picture = Image(rng.integers(0, 256, (rows, columns, 3), dtype=np.uint8), known)
    (query,) = reader.modality.blanks(Record(picture, Origin("query")))
    return query


HOLES = [
    (48, 48, (slice(9, 30), slice(5, 44))),
    (200, 170, (slice(16, 190), slice(10, 160))),
    (30, 300, (slice(0, 30), slice(50, 290))),
]


@pytest.mark.parametrize(("rows", "columns", "hole"), HOLES)
def test_every_blank_is_filled_once(reader: Predictor, rows: int, columns: int, hole: tuple[slice, slice]) -> None:
    query = asked(reader, rows, columns, hole)
    for completion in (
        iterative_decode.best(reader, [query], DecodeConfig())[0],
        iterative_decode.draws(reader, [query], 0, 1, DecodeConfig())[0],
    ):  # fmt: skip
        assert completion.tokens.present.all()
        assert np.isfinite(completion.log_prob)
        same = query.tokens.present
        assert np.array_equal(completion.tokens.values["pixels"][same], query.tokens.values["pixels"][same])
        assert not query.tokens.present.all()  # the query itself is as it was


def test_what_lies_deep_waits_for_what_lies_near(reader: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    query = asked(reader, 200, 170, (slice(16, 190), slice(10, 160)))
    shown: list[float] = []
    ask = reader.ask

    def watched(questions: Sequence[Any], answer: Any) -> list[Any]:
        shown.extend(float((~q.hidden).mean()) for q in questions)
        return ask(questions, answer)

    monkeypatch.setattr(reader, "ask", watched)
    iterative_decode.best(reader, [query], DecodeConfig())
    assert len(shown) > 4
    assert min(shown) >= 0.1  # no window is asked of nearly nothing


def test_draws_are_their_own(reader: Predictor) -> None:
    query = asked(reader, 64, 64, (slice(9, 50), slice(9, 50)))
    few = iterative_decode.draws(reader, [query] * 2, 5, 9, DecodeConfig())
    many = iterative_decode.draws(reader, [query] * 4, 5, 9, DecodeConfig())
    for one, other in zip(few, many, strict=False):
        assert np.abs(one.tokens.values["pixels"].astype(int) - other.tokens.values["pixels"]).mean() < 0.5
    assert not np.array_equal(few[0].tokens.values["pixels"], few[1].tokens.values["pixels"])
    again = iterative_decode.draws(reader, [query] * 2, 6, 9, DecodeConfig())
    assert not np.array_equal(few[0].tokens.values["pixels"], again[0].tokens.values["pixels"])


def test_nothing_known_is_drawn_from_nothing(reader: Predictor) -> None:
    query = asked(reader, 40, 40, (slice(0, 40), slice(0, 40)))
    assert iterative_decode.draws(reader, [query], 0, 0, DecodeConfig())[0].tokens.present.all()
