"""A picture is cut into patches and put together again, and its known pixels come back byte for byte."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.errors import DataError, ModelError, QueryError, RecipeError
from maskwright.modalities.image.config import ImageConfig
from maskwright.modalities.image.modality import ImageModality
from maskwright.modalities.image.pixels import Image
from maskwright.records.record import Origin, Record

sizes = st.integers(1, 25)


def record(rows: int, columns: int, channels: int, seed: int, share: float = 1.0) -> Record:
    rng = np.random.default_rng(seed)
    known = rng.random((rows, columns)) < share
    pixels = rng.integers(0, 256, (rows, columns, channels), dtype=np.uint8)
    return Record(Image(pixels, None if known.all() else known), Origin("a"))


def fitted(patch: int, channels: int) -> ImageModality:
    made = ImageModality()
    made.configure(ImageConfig(patch=patch))
    made.fit([record(9, 9, channels, 0)], 1)
    return made


@given(sizes, sizes, st.sampled_from([1, 3]), st.integers(1, 8), st.integers(0, 99), st.floats(0.1, 0.99))
@settings(deadline=None)
def test_known_pixels_come_back_whatever_is_filled_in(
    rows: int, columns: int, channels: int, patch: int, seed: int, share: float
) -> None:
    made, holed = fitted(patch, channels), record(rows, columns, channels, seed, share)
    known = holed.value.known
    if known is None:
        with pytest.raises(QueryError, match="a: nothing to fill"):
            made.blanks(holed)
        return
    (query,) = made.blanks(holed)
    shape = -(-rows // patch), -(-columns // patch)
    assert query.tokens.shape == shape
    touched = np.add.reduceat(np.add.reduceat(~known, range(0, rows, patch), 0), range(0, columns, patch), 1) > 0
    assert query.blanks.tolist() == np.flatnonzero(touched).tolist()
    drawn = np.random.default_rng(seed).integers(0, 256, (len(query.blanks), patch**2 * channels))
    filled = made.decode(query.tokens.with_values(query.blanks, {"pixels": drawn}), query)
    assert filled.known is None
    assert filled.pixels.shape == holed.value.pixels.shape
    assert np.array_equal(filled.pixels[known], holed.value.pixels[known])


@given(sizes, sizes, st.integers(1, 8), st.integers(0, 99), st.floats(0.1, 1))
@settings(deadline=None, max_examples=50)
def test_every_pixel_lies_in_one_patch_and_counts_once(rows: int, columns: int, patch: int, seed: int, share: float) -> None:
    made, holed = fitted(patch, 3), record(rows, columns, 3, seed, share)
    (tokens,) = made.encode([holed])
    area = ((tokens.where[:, 2:] - tokens.where[:, :2]).prod(axis=1)).sum()
    assert area == rows * columns
    known = rows * columns if holed.value.known is None else int(holed.value.known.sum())
    assert round(float(made.shares(tokens).sum()) * patch**2) == known
    assert made.size(holed) == 3 * known
    assert tokens.present.tolist() == (made.shares(tokens) > 0).tolist()


def test_what_was_learned_of_pictures_is_saved_and_a_damaged_file_named(tmp_path: Path) -> None:
    made, again = fitted(4, 3), ImageModality()
    made.save(tmp_path, 64)
    again.load(tmp_path)
    assert (again.channels, again.bits, again.levels, again.config.patch) == (3, 8, 256, 4)
    for damaged in ("{", "[]", '{"patch": "four"}', '{"patch": 400}', '{"strange": 1}'):
        (tmp_path / "image.json").write_text(damaged)
        with pytest.raises(ModelError) as error:
            ImageModality().load(tmp_path)
        assert error.value.where == str(tmp_path / "image.json")


def test_pictures_of_which_nothing_can_be_learned_are_refused() -> None:
    made = ImageModality()
    with pytest.raises(DataError, match="all of these pictures are transparent everywhere"):
        made.fit([Record(Image(np.zeros((4, 4, 1), dtype=np.uint8), np.zeros((4, 4), dtype=bool)), Origin("a"))], 1)
    made.configure(ImageConfig(patch=32))
    with pytest.raises(RecipeError, match="values in a patch of 5 channels") as error:
        made.fit([record(9, 9, 5, 0)], 1)
    assert error.value.option == "image.patch"


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_a_patch_is_called_by_its_colour(red: int, green: int, blue: int) -> None:
    made = fitted(2, 3)
    values = {"pixels": np.array([[red, green, blue] * 4]), "known": np.array([[True, False, False, True]])}
    assert made.label(values) == [f"#{red:02x}{green:02x}{blue:02x}"]
    assert math.isclose(made.pixel_format.top, 255)
