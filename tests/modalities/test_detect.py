"""Whose data it is follows from what is installed, and somebody else's broken package stops nobody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from maskwright.errors import DataError, MaskwrightWarning, ModelError
from maskwright.modalities import detect
from maskwright.nets.checkpoints.convert import FAMILIES
from tests.nets.checkpoints.shapes import BERT


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package whose modality can't be imported, as pip would leave it."""
    (tmp_path / "broken_of_others.py").write_text("raise RuntimeError('no licence\\nsecond line')\n")
    info = tmp_path / "broken_of_others-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-of-others\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{detect.GROUP}]\nbroken = broken_of_others:DESCRIPTOR\n")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        detect.descriptors.cache_clear()
        yield
    detect.descriptors.cache_clear()


@pytest.mark.usefixtures("broken")
def test_a_modality_that_cannot_be_loaded_is_left_out_with_a_word() -> None:
    with pytest.warns(MaskwrightWarning, match="'broken' .*can't be loaded, and is left out: no licence$"):
        assert detect.names() == ["image", "text"]
    assert detect.modality("text").name == "text"


def test_a_name_that_is_not_installed_is_told_which_are() -> None:
    with pytest.raises(DataError, match=r"no modality 'imgae' \(did you mean 'image'\?\); there are: image, text") as error:
        detect.modality("imgae")
    assert error.value.option == "modality"


def test_data_goes_to_who_is_surest_of_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words\n")
    assert detect.claimed([str(tmp_path)])[0].name == "text"
    found, why = detect.claimed(["<values>"], [np.zeros((4, 4), dtype=np.uint8)])
    assert found.name == "image"
    assert "it holds pictures" in why


def test_of_empty_folders_and_of_numbers_nothing_is_learned(tmp_path: Path) -> None:
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    with pytest.raises(DataError, match="empty: no files in it; give a file or folder that has some"):
        detect.claimed([str(tmp_path / "empty")])
    with pytest.raises(DataError, match=r"nothing here learns from this .*; there are: image, text"):
        detect.claimed(["<values>"], [3])


def test_a_checkpoint_goes_to_the_modality_of_its_family_or_names_all_families(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(BERT))
    assert detect.of_checkpoint(tmp_path).name == "text"
    (tmp_path / "config.json").write_text(json.dumps(BERT | {"model_type": "gpt2"}))
    with pytest.raises(ModelError, match="model_type 'gpt2' is none of") as error:
        detect.of_checkpoint(tmp_path)
    assert all(name in str(error.value) for name in FAMILIES)
