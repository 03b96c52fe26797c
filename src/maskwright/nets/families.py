"""Weights in other libraries' names: which config and which parameter of ours is which of theirs.

In: our `NetConfig` and parameters. Out: what transformers' `ModernBertForMaskedLM` reads, and back. Everything trained
here stays inside that family's config.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from maskwright.errors import ModelError
from maskwright.nets.encoder import NetConfig

_OURS_TO_THEIRS = (
    ("inputs.tok_embeddings.", "model.embeddings.tok_embeddings."),
    ("inputs.norm.", "model.embeddings.norm."),
    ("encoder.layers.", "model.layers."),
    ("encoder.final_norm.", "model.final_norm."),
    ("head.bias", "decoder.bias"),
    ("head.dense.", "head.dense."),
    ("head.norm.", "head.norm."),
)


def modernbert_config(config: NetConfig, vocabulary: int, ids: dict[str, int]) -> dict[str, Any]:
    """config.json of a net whose input is a token table and whose head is tied to it."""
    kinds = ["full_attention" if i % config.global_every == 0 else "sliding_attention" for i in range(config.layers)]
    return {
        "model_type": "modernbert",
        "architectures": ["ModernBertForMaskedLM"],
        "vocab_size": vocabulary,
        "hidden_size": config.width,
        "intermediate_size": config.ff,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "max_position_embeddings": config.length,
        "local_attention": config.window,
        "global_attn_every_n_layers": config.global_every,
        "layer_types": kinds,
        "global_rope_theta": config.rope_global,
        "local_rope_theta": config.rope_local,
        "rope_parameters": {
            "full_attention": {"rope_type": "default", "rope_theta": config.rope_global},
            "sliding_attention": {"rope_type": "default", "rope_theta": config.rope_local},
        },
        "hidden_activation": "gelu",
        "classifier_activation": "gelu",
        "classifier_pooling": "mean",
        "norm_eps": 1e-5,
        "norm_bias": False,
        "attention_bias": False,
        "mlp_bias": False,
        "classifier_bias": False,
        "decoder_bias": True,
        "tie_word_embeddings": True,
        "attention_dropout": 0.0,
        "embedding_dropout": 0.0,
        "mlp_dropout": 0.0,
        "pad_token_id": ids["pad"],
        "cls_token_id": ids["cls"],
        "sep_token_id": ids["sep"],
        "bos_token_id": ids["cls"],
        "eos_token_id": ids["sep"],
        "torch_dtype": "float32",
    }


def to_modernbert(ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {_renamed(name, _OURS_TO_THEIRS): tensor for name, tensor in ours.items()}


def from_modernbert(theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    back = tuple((b, a) for a, b in _OURS_TO_THEIRS)
    return {_renamed(name, back): tensor for name, tensor in theirs.items()}


def _renamed(name: str, pairs: tuple[tuple[str, str], ...]) -> str:
    for old, new in pairs:
        if name.startswith(old):
            return new + name[len(old) :]
    raise ModelError(f"a parameter that this family doesn't have: {name}")
