"""What makes no sense to ask is refused when it is said, and what can't be listed is refused for a list."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import maskwright as mw
from maskwright.errors import QueryError
from maskwright.modalities import detect
from maskwright.modalities.image.config import ImageConfig
from maskwright.modalities.image.pixels import Image
from maskwright.model.calibration import Calibration
from maskwright.model.fill import MOST_SOUGHT, Filler, FillOptions
from maskwright.model.folder import build
from maskwright.model.predictor import Predictor
from maskwright.nets.encoder import NetConfig
from maskwright.records.record import Origin, Record
from tests.conftest import text_records

counts = st.none() | st.integers(-2, 3)


@given(st.integers(-2, 3), counts, counts, st.integers(-2, 3), st.none() | st.lists(st.just("a"), max_size=2))
def test_options_are_refused_exactly_where_they_make_no_sense(
    top_k: int, n: int | None, draws: int | None, seed: int, targets: list[str] | None
) -> None:
    """An error names the option that is at fault, and what is accepted asks for one way of filling alone."""
    sense = top_k > 0 and seed >= 0 and all(number is None or number > 0 for number in (n, draws)) and targets != []
    if sense and [n, draws, targets].count(None) >= 2:
        assert FillOptions(top_k=top_k, n=n, draws=draws, seed=seed, targets=targets).top_k == top_k
    else:
        with pytest.raises(QueryError) as error:
            FillOptions(top_k=top_k, n=n, draws=draws, seed=seed, targets=targets)
        assert error.value.option in ("top_k", "n", "draws", "seed", "targets")


def test_the_set_of_a_lone_blank_is_its_likeliest_candidates(model: mw.Model) -> None:
    for query in ("My {mask} was declined", "{mask} is it?"):
        for coverage in (0.3, 0.8):
            (slot,) = model.fill(query, coverage=coverage, top_k=20).slots
            assert slot.region is not None
            common = min(len(slot.region), 20)
            assert slot.region[:common] == slot.tokens[:common]


def test_of_more_blanks_than_are_sought_only_draws_may_be_asked_several(model: mw.Model) -> None:
    records = text_records("My card {mask}" + "{mask}" * MOST_SOUGHT)
    queries = [model.modality.blanks(record) for record in records]
    options = FillOptions(n=2)
    with pytest.raises(QueryError, match="513 blanks can't be listed; ask for `draws`") as error:
        model.filler(options).fill(records, queries, options)
    assert error.value.option == "n"


def test_of_pictures_no_list_can_be_asked_and_of_nothing_no_likeliest_picture() -> None:
    torch.manual_seed(0)
    modality = detect.modality("image")
    modality.configure(ImageConfig(patch=4))
    hidden = Record(Image(np.zeros((8, 8, 1), dtype=np.uint8), np.zeros((8, 8), dtype=bool)), Origin("a"))
    modality.fit([Record(Image(hidden.value.pixels), Origin("b"))], 64)
    net = build(modality, modality.shaped(NetConfig(width=16, layers=2, heads=2, ff=16, length=64), {})).eval()
    filler = Filler(Predictor(net, modality), Calibration())
    for options in (FillOptions(n=2), FillOptions(targets=["a"]), FillOptions(coverage=0.5)):
        with pytest.raises(QueryError, match="of pictures there are too many to list; ask for draws") as error:
            filler.check(options)
        assert error.value.option == options.lists
    filler.check(FillOptions(draws=2))
    with pytest.raises(QueryError, match="a: nothing of it is known"):
        filler.fill([hidden], [modality.blanks(hidden)], FillOptions())
    (drawn,) = filler.fill([hidden], [modality.blanks(hidden)], FillOptions(draws=2))
    assert [one.value.known for one in drawn.completions] == [None, None]
