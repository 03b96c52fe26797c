"""The card says what was measured, and compares it with counting where there is something to compare with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import maskwright as mw
from maskwright.model.about import About
from maskwright.runs import model_card


def card(model: mw.Model, about: About) -> str:
    return model_card.text(about, model.modality, model.net.config)


def test_the_card_of_a_folder_is_made_of_what_the_folder_says(model: mw.Model, folder: Path) -> None:
    made = card(model, model.about)
    assert made == (folder / "README.md").read_text(encoding="utf-8")
    front = made.split("---\n")[1]
    assert "pipeline_tag: fill-mask" in front


@pytest.mark.parametrize(
    ("neighbours", "words"),
    [
        (10.0, "% below what counting neighbours reaches"),
        (0.1, "**No better than counting neighbours**: train longer, or on more data."),
        (None, "Nothing is known of what counting reaches on this kind of data."),
    ],
)
def test_it_says_how_much_better_than_counting_a_model_is(model: mw.Model, neighbours: float | None, words: str) -> None:
    assert model.about.held_out is not None
    made = card(model, replace(model.about, held_out=replace(model.about.held_out, floor_neighbours=neighbours)))
    assert words in made
    assert ("| counting neighbours |" in made) == (neighbours is not None)
    assert f"| this model | {model.about.held_out.bits_per_byte:.4f} |" in made


def test_what_a_reader_should_beware_of_is_there_only_where_it_holds(model: mw.Model) -> None:
    assert model.about.data is not None
    plain = card(model, model.about)
    data = replace(model.about.data, stretched=True, parted=False)
    made = card(model, replace(model.about, data=data, calibration=None, lists_values=False))
    for words in ("Few documents: stretches of them", "Too few documents to part the held-out data", "Not calibrated yet"):
        assert words in made
        assert words not in plain
    for words in ("Calibration: temperature", "within five guesses"):
        assert words in plain
        assert words not in made
