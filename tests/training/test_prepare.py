"""Of a corpus of any size a sample tells what most of its records are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maskwright.modalities.detect import modality as modality_of
from maskwright.modalities.image.config import ImageConfig
from maskwright.modalities.image.files import encoded
from maskwright.modalities.image.modality import ImageModality
from maskwright.modalities.image.pixels import Image
from maskwright.modalities.image.value import IMAGE
from maskwright.records.read import Source
from maskwright.records.split import split
from maskwright.system.progress import unwatched
from maskwright.training.prepare import _sampled, sample


def fresh() -> ImageModality:
    made = modality_of("image")
    assert isinstance(made, ImageModality)
    return made


def photos(folder: Path, grey: int) -> Source:
    """Thirty of 180 x 180 pixels, a few of them grey."""
    rng, rows = np.random.default_rng(0), []
    for number in range(30):
        shape = (180, 180, 1 if number < grey else 3)
        rows.append(encoded(Image(rng.integers(0, 256, shape, dtype=np.uint8))))
    pq.write_table(pa.table({"image": rows}), folder / "photos.parquet")
    return Source(paths=(str(folder / "photos.parquet"),), value_type=IMAGE)


def test_pictures_larger_than_a_sample_are_there_in_part(tmp_path: Path) -> None:
    """Each is as large as the whole sample may be."""
    modality = fresh()
    found = sample(photos(tmp_path, grey=3), modality, tmp_path / "shards", most=180 * 180 * 3)
    assert modality.channels == 3
    parts = split(found.shards, 0.1)
    assert len(parts.train) + len(parts.held_out) >= 15
    assert 0.02 < found.share < 0.06


@pytest.mark.filterwarnings("ignore:pictures in colour are read in grey")
def test_small_ones_are_there_whole(tmp_path: Path) -> None:
    modality = fresh()
    found = sample(photos(tmp_path, grey=20), modality, tmp_path / "shards", most=1 << 30)
    assert modality.channels == 1
    assert len(found.shards) == 30


def test_what_is_read_small_is_held_small(tmp_path: Path) -> None:
    """A sample of as many bytes as ten of them have, which are read at a hundredth of that."""
    modality = fresh()
    modality.configure(ImageConfig(longest=18))
    source, most = photos(tmp_path, grey=0), 10 * 180 * 180 * 3
    counted = _sampled(source, modality, unwatched, most)
    kept = counted.kept
    assert counted.size == 30 * 18 * 18 * 3
    assert sum(record.value.pixels.nbytes for record in kept) <= most
    assert len(kept) == 30


def test_the_brightest_of_all_tells_the_depth(tmp_path: Path) -> None:
    """One of three hundred has more than 10 bits, and a sample of parts shows none of that."""
    rows = [np.full((20, 20, 1), 900, dtype=np.uint16) for _ in range(300)]
    for number, row in enumerate(rows):
        row[number % 20, number // 20] = 100
    rows[200][3, 3] = 4000
    pq.write_table(pa.table({"image": [encoded(Image(row)) for row in rows]}), tmp_path / "deep.parquet")
    modality = fresh()
    source = Source(paths=(str(tmp_path / "deep.parquet"),), value_type=IMAGE)
    counted = _sampled(source, modality, unwatched, 4000)
    assert max(record.value.brightest for record in counted.kept) < 1024
    modality.fit(counted.kept, counted.size)
    assert (modality.bits, modality.depth) == (16, 12)
