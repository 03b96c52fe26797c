"""Counting gives probabilities of every level, and edges tell more than frequencies where pictures are smooth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.modalities.image.config import ImageConfig
from maskwright.modalities.image.edge_baseline import EdgeBaseline
from maskwright.modalities.image.modality import ImageModality
from maskwright.modalities.image.pixels import Image
from maskwright.records.record import Origin, Record
from maskwright.tokens import Array, Batch, collate
from maskwright.tokens.masking import at_random


def batch(pictures: list[Array], patch: int, **options: Any) -> Batch:
    modality = ImageModality()
    modality.configure(ImageConfig(patch=patch, **options))
    records = [Record(Image(pixels), Origin(f"{n}")) for n, pixels in enumerate(pictures)]
    modality.fit(records, 1)
    return collate(modality.encode(records), range(len(records)))


def smooth(count: int) -> list[Array]:
    y, x = np.mgrid[:24, :32]
    return [(120 + 80 * np.sin(x / 9 + k) + 30 * np.cos(y / 7 - k)).astype(np.uint8)[..., None] for k in range(count)]


@given(st.integers(0, 99), st.integers(2, 6), st.integers(2, 6), st.sampled_from([(256, 8, 0), (4096, 16, 12)]))
@settings(deadline=None, max_examples=6)
def test_probabilities_of_all_levels_sum_to_one(seed: int, rows: int, columns: int, depth: tuple[int, int, int]) -> None:
    levels, bits, kept = depth
    rng = np.random.default_rng(seed)
    kind = np.uint8 if bits == 8 else np.uint16
    made = batch([rng.integers(0, levels, (rows, columns, 1)).astype(kind) for _ in range(3)], 1, bits=bits, depth=kept)
    mask = at_random(made, 0.3, seed)
    counted = EdgeBaseline.of(made, mask, 1, 1, levels)
    for nats in (counted.frequency_nats, counted.neighbour_nats):
        total = np.zeros(len(mask.target))
        for level in range(0, levels, 16 if bits == 16 else 1):  # levels of one bin are alike
            made.values["pixels"][mask.target] = level
            total += np.exp(-nats(made, mask)) * (16 if bits == 16 else 1)
        np.testing.assert_allclose(total, 1, atol=1e-6)


def test_edges_tell_more_than_frequencies_of_smooth_pictures_and_less_the_more_is_hidden() -> None:
    made, fresh = batch(smooth(30), 4), batch(smooth(40)[30:], 4)
    counted = EdgeBaseline.of(made, at_random(made, 0.15, 1), 4, 1, 256)
    few, many = (at_random(fresh, rate, 2) for rate in (0.15, 0.9))
    frequency, edges = counted.frequency_nats(fresh, few).mean(), counted.neighbour_nats(fresh, few).mean()
    assert edges < 0.85 * frequency
    assert edges < counted.neighbour_nats(fresh, many).mean()


def test_a_neighbour_of_another_picture_tells_nothing() -> None:
    """Of the last patch of a row, what stands at the beginning of the next; of the last row, the next picture."""
    made = batch(smooth(30), 4)
    counted = EdgeBaseline.of(made, at_random(made, 0.15, 1), 4, 1, 256)
    two = batch([smooth(1)[0], 255 - smooth(1)[0]], 4)
    mask = at_random(two, 0.3, 3)
    before = counted.neighbour_nats(two, mask)
    first = two.record[mask.target] == 0
    two.values["pixels"][(two.record == 1) & ~mask.hidden] = 7
    after = counted.neighbour_nats(two, mask)
    assert np.array_equal(before[first], after[first])
    assert not np.allclose(before[~first], after[~first])


def test_what_is_not_known_costs_nothing() -> None:
    made = batch(smooth(3), 4)
    mask = at_random(made, 0.2, 1)
    counted = EdgeBaseline.of(made, mask, 4, 1, 256)
    made.values["known"][mask.target[0]] = False
    for nats in (counted.frequency_nats(made, mask), counted.neighbour_nats(made, mask)):
        assert nats[0] == pytest.approx(0)
        assert (nats[1:] > 0).all()
