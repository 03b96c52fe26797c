"""A text model goes on from another one's weights, new words and all, and opens elsewhere."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from maskwright.modalities.text.bpe import Vocabulary
from maskwright.modalities.text.config import TokenizerConfig
from maskwright.modalities.text.modality import TextModality
from maskwright.model import folder
from maskwright.model.about import About
from maskwright.nets.checkpoints import convert
from maskwright.nets.encoder import NetConfig
from maskwright.nets.masked import MaskedNet
from tests.conftest import text_records

CONFIG = NetConfig(width=16, layers=4, heads=2, ff=16, length=32)


@pytest.fixture(scope="module")
def written(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, MaskedNet]:
    """A folder of a net with a tokeniser of its own, neither of them trained for long."""
    torch.manual_seed(0)
    where, modality = tmp_path_factory.mktemp("models") / "small", TextModality()
    modality.configure(TokenizerConfig(size=512))
    modality.fit(text_records(texts[:300]), 1)
    net = folder.build(modality, CONFIG)
    torch.nn.init.normal_(net.head.bias)
    folder.write(where, CONFIG, net.state_dict(), modality, About(modality="text", net=asdict(CONFIG)), "a card")
    return where, net


def going_on(where: Path, extend: int, words: list[str]) -> tuple[TextModality, MaskedNet]:
    modality = TextModality()
    parts = modality.checkpoints
    modality.configure(TokenizerConfig(**parts.checkpoint_config(where) | {"extend": extend}))
    modality.fit(text_records(words), 1)
    net = folder.build(modality, parts.net_config(where))
    assert modality.checkpoints.adopt(net, where)
    return modality, net


def test_new_words_begin_as_the_mean_of_their_old_pieces(written: tuple[Path, MaskedNet]) -> None:
    where, before = written
    modality, after = going_on(where, 3, ["the electroencephalogram of the gallbladder"] * 5)
    old, new = Vocabulary.load(where), modality.vocabulary
    assert new.size == old.size + 3
    spelled = {i: token for token, i in new.tokenizer.get_vocab(with_added_tokens=True).items()}
    for table in ("inputs.tok_embeddings.weight", "head.bias"):
        rows, fresh = before.state_dict()[table], after.state_dict()[table]
        assert torch.equal(fresh[: old.size], rows)
        for i in range(old.size, new.size):
            pieces = old.pieces(spelled[i])
            assert len(pieces) > 1
            torch.testing.assert_close(fresh[i], rows[pieces].mean(0))


def test_without_new_words_the_weights_are_the_same(written: tuple[Path, MaskedNet]) -> None:
    where, before = written
    _, after = going_on(where, 0, [])
    ours, theirs = after.state_dict(), before.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_other_libraries_find_the_shape_and_the_special_tokens(written: tuple[Path, MaskedNet]) -> None:
    vocabulary = Vocabulary.load(written[0])
    modality = TextModality()
    modality.load(written[0])
    files = modality.checkpoints.files(CONFIG)
    said = files["config.json"]
    assert convert.from_config(said, modality.checkpoints.families) == CONFIG
    assert said["vocab_size"] == vocabulary.size
    assert [said[f"{name}_token_id"] for name in ("pad", "cls", "sep")] == [vocabulary.pad, vocabulary.cls, vocabulary.sep]
    assert files["sentence_bert_config.json"]["max_seq_length"] == 32
