"""What a folder says of itself is read as it was written, and files that it was not written with are found."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maskwright.errors import ModelError
from maskwright.model.about import (
    ABOUT,
    About,
    DataFacts,
    HeldOutFigures,
    TrainingFacts,
    read_about,
    verified_files,
    write_about,
)
from maskwright.model.calibration import Calibration, LengthPrior

numbers = st.floats(allow_nan=False, allow_infinity=False)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
figures = st.builds(HeldOutFigures, **dict.fromkeys(("nats", "bits_per_byte", "top1", "top5"), numbers),
                    floor_frequency=st.none() | numbers, floor_neighbours=st.none() | numbers)  # fmt: skip
trained = st.builds(TrainingFacts, seconds=numbers, epochs=numbers, budget=words)
data = st.builds(DataFacts, paths=st.lists(words, max_size=3))
calibrations = st.builds(
    Calibration, slot=numbers, joint=numbers, levels=st.lists(st.lists(numbers, max_size=3), max_size=3),
    slots=st.lists(st.integers(0), max_size=3), lengths=st.builds(LengthPrior, st.lists(numbers, max_size=3)),
    strangeness=st.lists(numbers, max_size=3), tokens=numbers,
)  # fmt: skip
abouts = st.builds(
    About, modality=words, net=st.dictionaries(words, st.integers() | numbers | words | st.booleans(), max_size=3),
    held_out=st.none() | figures, trained=st.none() | trained, data=st.none() | data,
    calibration=st.none() | calibrations, files=st.dictionaries(words, words, max_size=3), version=words,
    format=st.just(1),
)  # fmt: skip
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)
in_one_folder = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(about=abouts)
@in_one_folder
def test_what_is_written_of_a_model_is_read_again(tmp_path: Path, about: About) -> None:
    write_about(tmp_path, about)
    assert read_about(tmp_path) == about
    assert [path.name for path in tmp_path.iterdir()] == [ABOUT]


@given(field=st.sampled_from(list(json.loads(About(modality="text", net={}).to_json()))), value=anything)
@in_one_folder
def test_whatever_one_of_its_fields_holds_it_is_read_or_refused_by_name(tmp_path: Path, field: str, value: Any) -> None:
    said = json.loads(About(modality="text", net={}).to_json())
    (tmp_path / ABOUT).write_text(json.dumps(said | {field: value}))
    where = str(tmp_path / ABOUT)
    try:
        assert isinstance(read_about(tmp_path), About)
    except ModelError as error:
        where = error.where
    assert where == str(tmp_path / ABOUT)


@given(
    contents=st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=4),
    seed=st.integers(0),
    flip=st.integers(1, 255),
)
@in_one_folder
def test_a_changed_byte_in_any_file_is_found(tmp_path: Path, contents: list[bytes], seed: int, flip: int) -> None:
    kept = {f"{number}.bin": content for number, content in enumerate(contents)}
    for name, content in kept.items():
        (tmp_path / name).write_bytes(content)
    about = About(modality="text", net={}, files={name: hashlib.sha256(c).hexdigest() for name, c in kept.items()})
    assert verified_files(tmp_path, about) == kept
    damaged = f"{seed % len(contents)}.bin"
    changed = bytearray(kept[damaged])
    changed[seed % len(changed)] ^= flip
    (tmp_path / damaged).write_bytes(changed)
    with pytest.raises(ModelError, match="damaged, cut short, or of another version") as error:
        verified_files(tmp_path, about)
    assert error.value.where == str(tmp_path / damaged)


def test_a_trained_folder_is_as_it_was_written_but_for_its_card(folder: Path) -> None:
    found = verified_files(folder, read_about(folder))
    assert set(found) | {ABOUT, "README.md"} <= {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= set(found)


def test_what_a_net_saves_of_counting_is_below_zero_where_counting_is_better() -> None:
    one = HeldOutFigures(nats=1.0, bits_per_byte=1.5, top1=0.5, top5=0.7, floor_neighbours=2.0)
    assert one.below_counting == 0.25
    assert replace(one, bits_per_byte=3.0).below_counting == -0.5
    assert replace(one, floor_neighbours=None).below_counting is None
