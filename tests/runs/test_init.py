"""Going on from a checkpoint of others: with its tokeniser, its shape, its knowledge."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import maskwright as mw
from maskwright.errors import MaskwrightError
from maskwright.modalities.text.utf8_states import WHOLE
from tests.conftest import TINY

transformers = pytest.importorskip("transformers")
SHORT = [s for s in TINY if not s.startswith(("net.", "tokenizer."))] + ["calibration.slots=20", "net.length=32"]
Checkpoint = Callable[[str], Path]


@pytest.fixture(scope="module")
def checkpoint(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A random model of a family with our tokeniser, as save_pretrained leaves it."""

    def make(name: str) -> Path:
        out = tmp_path_factory.mktemp(name)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        config = transformers.AutoConfig.for_model(
            name, vocab_size=len(tokenizer) + 3, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
            num_attention_heads=2, max_position_embeddings=66, pad_token_id=0, cls_token_id=1, sep_token_id=2,
            bos_token_id=1, eos_token_id=2,
        )  # fmt: skip
        transformers.AutoModelForMaskedLM.from_config(config).save_pretrained(out)
        tokenizer.save_pretrained(out)
        return out

    return make


@pytest.mark.parametrize("name", ["modernbert", "bert", "roberta"])
def test_a_checkpoint_of_each_family_goes_on_and_stays_in_it(
    name: str, checkpoint: Checkpoint, corpus: Path, tmp_path: Path
) -> None:
    start = checkpoint(name)
    model = mw.train(corpus, out=tmp_path / "m", init=str(start), steps=4, settings=SHORT)
    assert model.embed("it works").shape == (32,)
    said = json.loads((tmp_path / "m" / "config.json").read_text())
    assert (said["model_type"], said["vocab_size"]) == (name, json.loads((start / "config.json").read_text())["vocab_size"])
    theirs = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / "m")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "m")
    ids = tokenizer("please [MASK] my card", return_tensors="pt")["input_ids"]
    text = model.modality.vocabulary  # type: ignore[attr-defined]
    assert int(ids[0, 0]) == text.cls
    logits = theirs(input_ids=ids).logits[0, (ids[0] == text.mask).nonzero()[0, 0]]
    allowed = [i for i in logits.argsort(descending=True).tolist() if not text.special[i] and not text.absent[i]]
    best = next(i for i in allowed if text.spaced[i] and text.transitions[i, WHOLE] == WHOLE)
    assert text.text([best]) == model.fill("please {mask} my card", top_k=1).slots[0].tokens[0]


def test_it_keeps_what_it_knew(folder: Path, corpus: Path, tmp_path: Path) -> None:
    """Two steps at a tiny rate: as good as the model that it began from, where a fresh one knows nothing."""
    before = json.loads((folder / "maskwright.json").read_text())["held_out"]["nats"]
    settings = [*SHORT, "train.lr=1e-6", "train.batch_tokens=1024"]
    model = mw.train(corpus, out=tmp_path / "m", init=str(folder), steps=2, settings=settings)
    assert model.about.held_out.nats == pytest.approx(before, rel=0.05)


def test_new_words_begin_as_the_mean_of_their_pieces(folder: Path, texts: list[str], tmp_path: Path) -> None:
    data = tmp_path / "d.txt"
    data.write_text("\n".join(" ".join(t.split()) + " for the gallbladder" for t in texts[:600]))
    settings = [*SHORT, "train.lr=1e-9", "train.batch_tokens=512"]
    model = mw.train(data, out=tmp_path / "m", init=str(folder), steps=1, settings=settings, extend_vocab=20)
    old = mw.load(folder)
    was, now = (m.modality.vocabulary for m in (old, model))  # type: ignore[attr-defined]
    assert now.size > was.size
    new = now.ids([" gallbladder"])[0]
    assert len(new) == 1
    pieces = was.ids([" gallbladder"])[0]
    before, after = (m.net.inputs.tok_embeddings.weight.detach() for m in (old, model))
    assert (after[new[0]] - before[pieces].mean(0)).abs().max() < 1e-5
    again = mw.load(tmp_path / "m")
    assert again.modality.vocabulary.size == now.size  # type: ignore[attr-defined]


def test_a_checkpoint_of_others_opens_as_it_stands(checkpoint: Checkpoint) -> None:
    model = mw.load(checkpoint("roberta"))
    assert 0 < model.fill("please {mask} it").prob < 1
    assert model.score("please do").total > 0


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"settings": [*SHORT, "net.width=64"]}, "the checkpoint has 48; leave it out"),
        ({"tokenizer": "x.json"}, "its own tokenizer; leave `tokenizer` out"),
        ({"init": None, "extend_vocab": 5}, "nothing to extend"),
    ],
)
def test_what_does_not_go_together(more: dict[str, object], says: str, folder: Path, corpus: Path, tmp_path: Path) -> None:
    options = {"init": str(folder), "steps": 2, "settings": SHORT} | more
    with pytest.raises(MaskwrightError, match=says):
        mw.train(corpus, out=tmp_path / "m", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "m").exists()
