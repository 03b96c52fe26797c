"""What calibration finds on held-out records holds on others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

import maskwright as mw
from maskwright.model import calibrate
from maskwright.tokens import Tokens
from tests.conftest import text_records
from tests.model.queries import encoded


def test_sets_hold_the_truth_as_often_as_promised(model: mw.Model, texts: list[str]) -> None:
    fresh = encoded(model, texts[4000:8000])
    questions = calibrate.together(fresh, 4000, 1, np.random.default_rng(1))
    nats = calibrate.slot_nats(model.predictor, questions, model.calibration.slot)
    for coverage in (0.5, 0.8, 0.9):
        held = float((nats <= model.calibration.level(coverage, 1)).mean())
        assert held == pytest.approx(coverage, abs=0.06)


@pytest.mark.parametrize("blanks", [2, 5, 8])
def test_sets_of_blanks_hidden_together_hold_the_truth_as_often(model: mw.Model, texts: list[str], blanks: int) -> None:
    fresh = encoded(model, texts[4000:8000])
    questions = calibrate.together(fresh, 400, blanks, np.random.default_rng(1))
    nats = calibrate.slot_nats(model.predictor, questions, model.calibration.slot)
    assert len(nats) == 400 * blanks
    held = [float((nats <= model.calibration.level(0.8, n)).mean()) for n in (blanks, 1)]
    assert held[0] == pytest.approx(0.8, abs=0.1)
    assert held[1] < held[0]  # the level of one blank promises less than it says


def test_an_overconfident_net_is_cooled(model: mw.Model, texts: list[str]) -> None:
    fresh = encoded(model, texts[3000:3600])
    questions = calibrate.together(fresh, 500, 1, np.random.default_rng(1))
    bias = model.net.head.bias
    before = calibrate._slot_temperature(model.predictor, questions)
    weight = model.net.inputs.tok_embeddings.weight
    with torch.no_grad():
        norm = model.net.head.norm.weight
        kept = norm.clone(), bias.clone()
        norm.mul_(2)
        bias.mul_(2)
        after = calibrate._slot_temperature(model.predictor, questions)
        norm.copy_(kept[0])
        bias.copy_(kept[1])
    assert weight is not None
    assert after == pytest.approx(2 * before, rel=0.02)


def test_whole_records_are_measured_as_they_come_until_their_time_is_up(
    model: mw.Model, texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    records = text_records(texts[:40])
    tokens = model.modality.encode(records)
    room = sum(map(len, tokens[:30]))
    seen: list[int] = []

    def coming() -> Iterator[tuple[Tokens, int]]:
        for record, own in zip(records, tokens, strict=True):
            seen.append(len(own))
            yield own, record.key

    whole, size = calibrate.strangeness(model.predictor, coming(), room)
    assert (len(whole), len(seen)) == (30, 31)
    assert size == pytest.approx(np.mean(seen))
    assert whole == pytest.approx(sorted(score.mean for score in model.score(records[:30])), abs=1e-4)
    monkeypatch.setattr(calibrate, "TOGETHER", 50)
    assert calibrate.strangeness(model.predictor, coming(), room)[0] == pytest.approx(whole, abs=1e-4)
    assert calibrate.strangeness(model.predictor, iter([]), room) == ([], 0.0)
