"""Weights go to another library's names and come back, and folders that hold none are named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from maskwright.errors import ModelError
from maskwright.nets.checkpoints import convert
from maskwright.nets.checkpoints.bert import BERT_FAMILIES
from maskwright.nets.encoder import NetConfig
from maskwright.nets.heads.vit_mae import Colours, SquaredHead, VitInput
from maskwright.nets.masked import MaskedNet
from tests.nets.checkpoints.shapes import BERT, OLD, SHAPES
from tests.nets.small import SMALL, net


def made(config: NetConfig) -> MaskedNet:
    if not config.grid:
        return net(config=config)
    colours, layers = Colours([0.5], [0.5], 256, 16), config.decoder
    assert layers is not None
    return MaskedNet(config, VitInput(4, 1, colours, config), SquaredHead(1, colours, 16, False, layers))


@pytest.mark.parametrize("name", SHAPES)
def test_weights_come_back_from_the_names_of_every_family(name: str) -> None:
    ours = made(SHAPES[name]).state_dict()
    there = convert.to_theirs(ours, SHAPES[name])
    again = convert.from_theirs(there, SHAPES[name])
    assert again.keys() == ours.keys()
    assert all(torch.equal(again[key], ours[key]) for key in ours)
    assert not there.keys() & {key for key in ours if not key.startswith("head.")}


def test_a_checkpoint_in_several_files_is_read_whole(tmp_path: Path) -> None:
    there = convert.to_theirs(made(OLD).state_dict(), OLD)
    (tmp_path / "config.json").write_text(json.dumps(BERT))
    named = {key: f"model-{number % 2}.safetensors" for number, key in enumerate(sorted(there))}
    for file in set(named.values()):
        save_file({key: there[key] for key in there if named[key] == file}, tmp_path / file)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": named}))
    config, _, weights = convert.read(tmp_path, BERT_FAMILIES)
    assert config == OLD
    assert all(torch.equal(tensor, weights[key]) for key, tensor in made(OLD).state_dict().items())


def test_a_net_takes_weights_that_fit_and_says_whether_they_had_a_head(tmp_path: Path) -> None:
    weights, fresh = made(SMALL).state_dict(), made(SMALL)
    bare = {key: tensor + 1 for key, tensor in weights.items() if not key.startswith("head.")}
    assert not convert.adopted(fresh, bare, tmp_path)
    assert all(torch.equal(tensor, bare.get(key, weights[key])) for key, tensor in fresh.state_dict().items())
    assert convert.adopted(fresh, weights, tmp_path)
    for wrong in ({"encoder.final_norm.weight": torch.zeros(7)}, {"encoder.strange": torch.zeros(1)}):
        with pytest.raises(ModelError, match="its weights don't fit its config.json: .*" + next(iter(wrong))):
            convert.adopted(fresh, weights | wrong, tmp_path)


def test_folders_that_are_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no config"):
        convert.read(tmp_path, BERT_FAMILIES)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelError, match="not a JSON object"):
        convert.read(tmp_path, BERT_FAMILIES)
    (tmp_path / "config.json").write_text(json.dumps(BERT))
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ModelError, match="pickle"):
        convert.read(tmp_path, BERT_FAMILIES)
    (tmp_path / "model.safetensors").write_bytes(b"not a tensor")
    with pytest.raises(ModelError, match="can't be read"):
        convert.read(tmp_path, BERT_FAMILIES)
    save_file({"bert.strange": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=r"bert\.strange"):
        convert.read(tmp_path, BERT_FAMILIES)
