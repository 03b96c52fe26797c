"""Our net and transformers' give the same logits with the same weights, either way round."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from maskwright.errors import ModelError
from maskwright.nets.checkpoints import convert
from maskwright.nets.checkpoints.bert import BERT_FAMILIES, to_config
from maskwright.nets.encoder import NetConfig
from maskwright.nets.masked import MaskedNet
from tests.nets.small import batch, net, record

transformers = pytest.importorskip("transformers")
IDS = {"pad": 0, "cls": 1, "sep": 2, "mask": 3, "unk": 4}
SIZES: dict[str, Any] = {
    "vocab_size": 96, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 2,
    "initializer_range": 0.2,
}  # fmt: skip
OLD = {"max_position_embeddings": 130, "pad_token_id": 1, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
CONFIGS = {
    "modernbert": lambda: transformers.ModernBertConfig(**SIZES, local_attention=16, max_position_embeddings=128,
                                                        pad_token_id=0, cls_token_id=1, sep_token_id=2, bos_token_id=1,
                                                        eos_token_id=2),
    "bert": lambda: transformers.BertConfig(**SIZES, **OLD),
    "roberta": lambda: transformers.RobertaConfig(**SIZES, **OLD, type_vocab_size=1),
}  # fmt: skip


def theirs(name: str) -> Any:
    """A random model, biases and norms included: at their usual start they would hide a mistake."""
    torch.manual_seed(0)
    made = transformers.AutoModelForMaskedLM.from_config(CONFIGS[name](), attn_implementation="eager").eval()
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.3)
    return made


@torch.no_grad()
def difference(ours: MaskedNet, model: Any) -> float:
    """The largest one among all logits of a batch of mixed length."""
    records = [record(n, n) for n in (3, 17, 40, 100, 128)]
    whole = batch(*records)
    found = ours(whole, np.zeros(len(whole), dtype=bool), np.arange(len(whole))).logits()  # type: ignore[attr-defined]
    ids = torch.full((5, 128), model.config.pad_token_id)
    attention = torch.zeros(5, 128, dtype=torch.long)
    for row, one in enumerate(records):
        ids[row, : len(one)] = torch.from_numpy(one.values["id"])
        attention[row, : len(one)] = 1
    expected = model(input_ids=ids, attention_mask=attention).logits[attention.bool()]
    assert expected.std() > 0.1
    return float((found - expected).abs().max())


@pytest.mark.parametrize("name", CONFIGS)
def test_a_checkpoint_of_theirs_gives_their_logits(name: str, tmp_path: Path) -> None:
    model = theirs(name)
    model.save_pretrained(tmp_path)
    config, said_there, weights = convert.read(tmp_path, BERT_FAMILIES)
    assert said_there["vocab_size"] == 96
    ours = net(config=config)
    ours.load_state_dict(weights)
    assert difference(ours, model) < 1e-4


@pytest.mark.parametrize("name", CONFIGS)
def test_and_goes_back_to_them(name: str, tmp_path: Path) -> None:
    model = theirs(name)
    model.save_pretrained(tmp_path)
    config, said_there, weights = convert.read(tmp_path, BERT_FAMILIES)
    said = to_config(config, said_there["vocab_size"], IDS | {"pad": model.config.pad_token_id})
    again = transformers.AutoModelForMaskedLM.from_config(transformers.AutoConfig.for_model(**said)).eval()
    missing, unexpected = again.load_state_dict(convert.to_theirs(weights, config), strict=False)
    assert [name for name in missing if "decoder." not in name] == []
    assert unexpected == []
    again.tie_weights()
    for parameter in ("weight", "bias"):
        one, two = (getattr(m.get_output_embeddings(), parameter) for m in (model, again))
        assert torch.equal(one, two)
    ours = net(config=config)
    ours.load_state_dict(weights)
    assert difference(ours, again) < 1e-4


def test_what_we_train_is_a_modernbert() -> None:
    made = net()
    said = to_config(made.config, 96, IDS)
    model = transformers.ModernBertForMaskedLM(
        transformers.ModernBertConfig(**{k: v for k, v in said.items() if k not in ("model_type", "torch_dtype")})
    ).eval()
    missing, unexpected = model.load_state_dict(convert.to_theirs(made.state_dict(), made.config), strict=False)
    assert [name for name in missing if "decoder.weight" not in name] == []
    assert unexpected == []
    model.tie_weights()
    assert difference(made, model) < 1e-4
    assert convert.from_config(said, BERT_FAMILIES) == made.config


@pytest.mark.parametrize("name", CONFIGS)
def test_an_encoder_without_a_head_is_read_too(name: str, tmp_path: Path) -> None:
    model = theirs(name)
    model.base_model.save_pretrained(tmp_path)
    config, _, weights = convert.read(tmp_path, BERT_FAMILIES)
    missing, unexpected = net(config=config).load_state_dict(weights, strict=False)
    assert unexpected == []
    assert all(name.startswith("head.") for name in missing)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model_type": "gpt2"}, "none of modernbert, bert, roberta"),
        ({"hidden_activation": "silu"}, "hidden_activation is 'silu'"),
        ({"layer_types": ["sliding_attention", "full_attention", "full_attention"]}, "layer_types"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings"),
        ({"hidden_size": None}, "config.json"),
    ],
)
def test_what_our_encoder_is_not_is_refused_by_name(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        convert.from_config(CONFIGS["modernbert"]().to_dict() | change, BERT_FAMILIES)


def test_a_table_of_positions_ends_somewhere() -> None:
    with pytest.raises(Exception, match="ends at 64"):
        NetConfig(positions=66, first_position=2, length=65)
