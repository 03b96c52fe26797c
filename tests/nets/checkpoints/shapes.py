"""A small shape of every family that is written for other libraries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from maskwright.nets.checkpoints import convert
from maskwright.nets.checkpoints.bert import BERT_FAMILIES
from maskwright.nets.checkpoints.vit import vit_mae
from maskwright.nets.encoder import NetConfig
from tests.nets.small import SMALL

BERT: dict[str, Any] = {
    "model_type": "bert", "vocab_size": 96, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3,
    "num_attention_heads": 2, "max_position_embeddings": 130,
}  # fmt: skip
OLD = convert.from_config(BERT, BERT_FAMILIES)
SHAPES = {
    "modernbert": SMALL,
    "bert": OLD,
    "roberta": replace(OLD, first_position=2, length=128, kinds=1),
    "vit_mae": NetConfig(**vit_mae(32, 2, 2, 64, 4)),
}
