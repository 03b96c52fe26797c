"""What stands in a model folder opens elsewhere with the same answers, and is refused when it is damaged."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import maskwright as mw
from maskwright.model.predictor import Question
from tests.conftest import text_records


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(folder, tmp_path / "model")
    return tmp_path / "model"


def test_transformers_gives_the_same_logits(folder: Path, model: mw.Model, texts: list[str]) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AutoModelForMaskedLM.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    assert type(theirs).__name__ == "ModernBertForMaskedLM"
    some = [t for t in texts[3000:3060] if len(model.modality.encode(text_records(t))[0]) <= model.predictor.most]
    assert len(some) > 20
    batch = tokenizer(some, padding=True, return_tensors="pt")
    with torch.no_grad():
        logits = theirs(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    for row, text in enumerate(some):
        tokens = model.modality.encode(text_records(text))[0]
        ids = batch["input_ids"][row][batch["attention_mask"][row].bool()]
        assert ids[1:-1].tolist() == tokens.values["id"].tolist()
        at = np.arange(len(tokens))
        question = Question(tokens, np.zeros(len(tokens), dtype=bool), at)
        ours = model.predictor.ask([question], lambda d, m, r: [d.logits()])[0]
        assert (logits[row, 1 : 1 + len(tokens)] - ours).abs().max() < 1e-4


def test_the_fill_mask_pipeline_agrees(folder: Path, model: mw.Model) -> None:
    transformers = pytest.importorskip("transformers")
    pipe = transformers.pipeline("fill-mask", model=str(folder), tokenizer=str(folder), top_k=3)
    theirs = pipe("I lost my [MASK] yesterday")
    slot = model.fill("I lost my[MASK] yesterday", top_k=3).slots[0]
    assert theirs[0]["token_str"].strip() == slot.tokens[0].strip()
    assert pipe.tokenizer.mask_token == "[MASK]"
    assert pipe.tokenizer.model_max_length == 32


def test_sentence_transformers_gives_the_same_vectors(folder: Path, model: mw.Model, texts: list[str]) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
        some = [t for t in texts[3000:3060] if len(model.modality.encode(text_records(t))[0]) <= model.predictor.most]
        found = theirs.encode(some)
    assert np.abs(found - model.embed(some)).max() < 1e-4


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_file_cut_short_is_refused(copy: Path, name: str) -> None:
    path = copy / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(mw.ModelError, match=f"{name}: damaged, cut short, or of another version"):
        mw.load(copy)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(mw.ModelError, match=f"{name}: missing"):
        mw.load(copy)


def test_folders_that_are_no_models(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(mw.ModelError, match="no such model folder"):
        mw.load(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(mw.ModelError, match=r"no maskwright model \(no maskwright.json\); train one"):
        mw.load(tmp_path / "empty")
    (tmp_path / "empty" / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(mw.ModelError, match="holds a pickle"):
        mw.load(tmp_path / "empty")
    (copy / "maskwright.json").write_text("{")
    with pytest.raises(mw.ModelError, match=r"maskwright.json: damaged"):
        mw.load(copy)


def test_a_newer_format_is_refused(copy: Path) -> None:
    about = json.loads((copy / "maskwright.json").read_text())
    (copy / "maskwright.json").write_text(json.dumps(about | {"format": 99, "version": "9.9"}))
    with pytest.raises(mw.ModelError, match=r"written by a newer maskwright \(9.9\)"):
        mw.load(copy)


def test_weights_of_another_shape_are_refused(copy: Path) -> None:
    about = json.loads((copy / "maskwright.json").read_text())
    about["net"]["ff"] = 80
    (copy / "maskwright.json").write_text(json.dumps(about))
    with pytest.raises(mw.ModelError, match="its files don't fit together"):
        mw.load(copy)


def test_it_answers_the_same_after_a_move(copy: Path, model: mw.Model) -> None:
    assert mw.load(copy).fill("my {mask} card") == model.fill("my {mask} card")
