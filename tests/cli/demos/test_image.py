"""The photographs of the demo are cut within their bounds, and what it draws is a file that can be looked at."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from maskwright.cli.demos import image
from maskwright.cli.demos.image import SIDE, STEP
from maskwright.modalities.image.pixels import Image


@given(st.integers(SIDE // 2, 3 * SIDE), st.integers(SIDE // 2, 3 * SIDE), st.sampled_from([SIDE, STEP]))
@settings(deadline=None, max_examples=50)
def test_small_pictures_are_squares_of_the_photograph_each_from_another_place(rows: int, columns: int, step: int) -> None:
    photo = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), axis=-1)
    parts = image._parts(photo, step)
    corners = [tuple(part[0, 0]) for part in parts]
    assert corners == [(y, x) for y in range(0, rows - SIDE + 1, step) for x in range(0, columns - SIDE + 1, step)]
    for part, (y, x) in zip(parts, corners, strict=True):
        assert np.array_equal(part, photo[y : y + SIDE, x : x + SIDE])


def test_there_are_photographs_to_show() -> None:
    pytest.importorskip("sklearn.datasets")
    photos = image._photographs()
    assert [(photo.dtype, photo.shape[2], min(photo.shape[:2]) > 4 * SIDE) for photo in photos] == [(np.uint8, 3, True)] * 2


@pytest.mark.parametrize("terminal", [True, False])
def test_pictures_are_drawn_one_below_the_other_and_in_a_terminal_the_first_of_them(tmp_path: Path, terminal: bool) -> None:
    from PIL import Image as Pillow

    shown = [np.full((4, 6, 3), shade, dtype=np.uint8) for shade in (0, 200)]
    said = io.StringIO()
    console = Console(file=said, width=40, force_terminal=terminal, color_system="truecolor" if terminal else None)
    image._draw(console, "[strips]", [Image(one) for one in shown], tmp_path / "strips.png")
    assert np.array_equal(np.asarray(Pillow.open(tmp_path / "strips.png")), np.concatenate(shown))
    assert "[strips]" in said.getvalue()
    assert said.getvalue().count("▀") == (2 * 6 if terminal else 0)
