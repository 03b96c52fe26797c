"""Weights in other libraries' names: which config and which parameter of ours is which of theirs.

In: a checkpoint's config.json and tensors (ModernBERT, BERT or RoBERTa, with or without their prediction head). Out: our
`NetConfig` and parameters; and back. What is trained here from scratch is a ModernBERT, and stays inside its config.
What a family can do and our encoder can't is refused by name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from maskwright.errors import ModelError, RecipeError
from maskwright.nets.encoder import NetConfig

Json = dict[str, Any]
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")


@dataclass(frozen=True)
class Family:
    """One architecture of Hugging Face's."""

    name: str
    """its model_type"""
    architecture: str
    prefix: str
    """of the encoder's parameters in a model with a prediction head; absent in one without"""
    names: tuple[tuple[str, str], ...]
    """(ours, theirs) beginnings of parameter names; {n} stands for a layer's number. The first that fits is taken"""
    separate: bool
    """queries, keys and values are three maps there, one here"""
    ignored: tuple[str, ...]
    """their parameters that a masked net has no use for"""


_LAYER = "encoder.layers.{n}."
MODERNBERT = Family(
    "modernbert", "ModernBertForMaskedLM", "model.",
    (
        ("inputs.tok_embeddings.", "model.embeddings.tok_embeddings."),
        ("inputs.norm.", "model.embeddings.norm."),
        ("encoder.layers.", "model.layers."),
        ("encoder.final_norm.", "model.final_norm."),
        ("head.bias", "decoder.bias"),
        ("head.", "head."),
    ),
    False, ("decoder.weight",),
)  # fmt: skip


def _bert_like(name: str, architecture: str, head: tuple[tuple[str, str], ...], ignored: tuple[str, ...]) -> Family:
    theirs = f"{name}.encoder.layer.{{n}}."
    return Family(
        name, architecture, f"{name}.",
        (
            ("inputs.tok_embeddings.", f"{name}.embeddings.word_embeddings."),
            ("inputs.pos_embeddings.", f"{name}.embeddings.position_embeddings."),
            ("inputs.kind_embeddings.", f"{name}.embeddings.token_type_embeddings."),
            ("inputs.norm.", f"{name}.embeddings.LayerNorm."),
            (f"{_LAYER}attn.Wq.", f"{theirs}attention.self.query."),
            (f"{_LAYER}attn.Wk.", f"{theirs}attention.self.key."),
            (f"{_LAYER}attn.Wv.", f"{theirs}attention.self.value."),
            (f"{_LAYER}attn.Wo.", f"{theirs}attention.output.dense."),
            (f"{_LAYER}attn_norm.", f"{theirs}attention.output.LayerNorm."),
            (f"{_LAYER}mlp.Wi.", f"{theirs}intermediate.dense."),
            (f"{_LAYER}mlp.Wo.", f"{theirs}output.dense."),
            (f"{_LAYER}mlp_norm.", f"{theirs}output.LayerNorm."),
            *head,
        ),
        True, (*ignored, f"{name}.pooler.", f"{name}.embeddings.position_ids", f"{name}.embeddings.token_type_ids"),
    )  # fmt: skip


BERT = _bert_like(
    "bert", "BertForMaskedLM",
    (
        ("head.bias", "cls.predictions.bias"),
        ("head.dense.", "cls.predictions.transform.dense."),
        ("head.norm.", "cls.predictions.transform.LayerNorm."),
    ),
    ("cls.predictions.decoder.", "cls.seq_relationship."),
)  # fmt: skip
ROBERTA = _bert_like(
    "roberta", "RobertaForMaskedLM",
    (("head.bias", "lm_head.bias"), ("head.dense.", "lm_head.dense."), ("head.norm.", "lm_head.layer_norm.")),
    ("lm_head.decoder.",),
)  # fmt: skip
FAMILIES = {family.name: family for family in (MODERNBERT, BERT, ROBERTA)}


def family_of(config: NetConfig) -> Family:
    """The family whose config can say this shape."""
    if not config.positions:
        plain = config.norm == "pre" and config.mlp == "geglu" and not config.bias and not config.kinds
        family = MODERNBERT if plain else None
    else:
        alike = config.norm == "post" and config.mlp == "gelu" and config.bias and config.kinds and config.global_every == 1
        family = (ROBERTA if config.first_position else BERT) if alike else None
    if family is None:
        raise ModelError("no family has this shape: leave net.norm, mlp, bias, positions and kinds alone")
    return family


# Configs


def to_config(config: NetConfig, vocabulary: int, ids: dict[str, int]) -> Json:
    """config.json of a net whose input is a token table and whose head is tied to it."""
    family = family_of(config)
    return {
        "model_type": family.name,
        "architectures": [family.architecture],
        "vocab_size": vocabulary,
        "hidden_size": config.width,
        "intermediate_size": config.ff,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "tie_word_embeddings": True,
        # RoBERTa counts positions from there, whatever its tokeniser pads with.
        "pad_token_id": config.first_position - 1 if family is ROBERTA else ids["pad"],
        "torch_dtype": "float32",
    } | (_modernbert(config, ids) if family is MODERNBERT else _bert(config))


def _modernbert(config: NetConfig, ids: dict[str, int]) -> Json:
    kinds = ["full_attention" if i % config.global_every == 0 else "sliding_attention" for i in range(config.layers)]
    return {
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
        "norm_eps": config.norm_eps,
        "norm_bias": False,
        "attention_bias": False,
        "mlp_bias": False,
        "classifier_bias": False,
        "decoder_bias": True,
        "attention_dropout": 0.0,
        "embedding_dropout": 0.0,
        "mlp_dropout": 0.0,
        "cls_token_id": ids["cls"],
        "sep_token_id": ids["sep"],
        "bos_token_id": ids["cls"],
        "eos_token_id": ids["sep"],
    }


def _bert(config: NetConfig) -> Json:
    return {
        "max_position_embeddings": config.positions,
        "type_vocab_size": config.kinds,
        "hidden_act": "gelu",
        "layer_norm_eps": config.norm_eps,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }


def from_config(theirs: Json) -> tuple[NetConfig, int]:
    """Our shape of a config.json, and its vocabulary. Raises ModelError where our encoder is no such net."""
    family = FAMILIES.get(theirs.get("model_type", ""))
    if family is None:
        raise ModelError(f"model_type {theirs.get('model_type')!r} is none of {', '.join(FAMILIES)}")
    try:
        common: Json = {
            "width": theirs["hidden_size"],
            "layers": theirs["num_hidden_layers"],
            "heads": theirs["num_attention_heads"],
            "ff": theirs["intermediate_size"],
        }
        return NetConfig(**common, **(_of_modernbert(theirs) if family is MODERNBERT else _of_bert(theirs, family))), theirs[
            "vocab_size"
        ]
    except (KeyError, TypeError) as error:
        raise ModelError(f"its config.json says nothing of {error}") from None


def _of_modernbert(theirs: Json) -> Json:
    _demand(theirs, hidden_activation="gelu", classifier_activation="gelu", norm_bias=False, attention_bias=False,
            mlp_bias=False, classifier_bias=False, decoder_bias=True, tie_word_embeddings=True)  # fmt: skip
    every = theirs.get("global_attn_every_n_layers", 3)
    kinds, layers = theirs.get("layer_types"), theirs["num_hidden_layers"]
    if kinds:
        whole = [i for i, kind in enumerate(kinds) if kind == "full_attention"]
        every = whole[1] if len(whole) > 1 else layers
        if whole != list(range(0, layers, every)):
            raise ModelError("its layer_types don't repeat: global attention must come every n layers, from the first on")
    rope = theirs.get("rope_parameters") or {}

    def theta(kind: str, old: str, default: float) -> float:
        own = rope.get(kind) or {}
        if own.get("rope_type", "default") != "default":
            raise ModelError(f"its rope_type is {own['rope_type']!r}; only default is known")
        return float(own.get("rope_theta") or theirs.get(old) or default)

    return {
        "window": theirs.get("local_attention", 128),
        "global_every": every,
        "length": theirs.get("max_position_embeddings", 8192),
        "norm_eps": theirs.get("norm_eps", 1e-5),
        "rope_global": theta("full_attention", "global_rope_theta", 160_000.0),
        "rope_local": theta("sliding_attention", "local_rope_theta", 10_000.0),
    }


def _of_bert(theirs: Json, family: Family) -> Json:
    _demand(theirs, hidden_act="gelu", position_embedding_type="absolute", tie_word_embeddings=True, is_decoder=False)
    first = theirs.get("pad_token_id", 1) + 1 if family is ROBERTA else 0
    rows = theirs.get("max_position_embeddings", 512)
    return {
        "global_every": 1, "norm": "post", "mlp": "gelu", "bias": True, "norm_eps": theirs.get("layer_norm_eps", 1e-12),
        "positions": rows, "first_position": first, "length": rows - first, "kinds": theirs.get("type_vocab_size", 2),
    }  # fmt: skip


def _demand(theirs: Json, **known: Any) -> None:
    for name, value in known.items():
        if theirs.get(name, value) != value:
            raise ModelError(f"its {name} is {theirs[name]!r}; only {value!r} is known")


# Parameters


def to_theirs(ours: Mapping[str, Tensor], config: NetConfig) -> dict[str, Tensor]:
    family = family_of(config)
    pairs = [(_pattern(own), their) for own, their in family.names]
    out: dict[str, Tensor] = {}
    for name, tensor in ours.items():
        parts = {name: tensor}
        if family.separate and ".attn.Wqkv." in name:
            kinds = zip("qkv", tensor.chunk(3), strict=True)
            parts = {name.replace("Wqkv", f"W{kind}"): part.contiguous() for kind, part in kinds}
        for own, part in parts.items():
            renamed = _renamed(own, pairs)
            if renamed is None:
                raise ModelError(f"a parameter that {family.name} doesn't have: {own}")
            out[renamed] = part
    return out


def from_theirs(theirs: Mapping[str, Tensor], config: NetConfig) -> dict[str, Tensor]:
    """Our parameters; those of the prediction head are missing where theirs has none."""
    family = family_of(config)
    pairs = [(_pattern(their), own) for own, their in family.names]
    headless = not any(name.startswith(family.prefix) for name in theirs)
    out: dict[str, Tensor] = {}
    for given, tensor in theirs.items():
        name = family.prefix + given if headless else given
        name = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", name))
        if name.startswith(family.ignored):
            continue
        renamed = _renamed(name, pairs)
        if renamed is None:
            raise ModelError(f"{given}: a parameter that {family.name} as we know it doesn't have")
        out[renamed] = tensor
    if family.separate:
        for name in [n for n in out if ".attn.Wq." in n]:
            three = [out.pop(name.replace(".Wq.", f".W{kind}.")) for kind in "qkv"]
            out[name.replace(".Wq.", ".Wqkv.")] = torch.cat(three)
    return out


def _pattern(beginning: str) -> re.Pattern[str]:
    return re.compile(re.escape(beginning).replace(re.escape("{n}"), r"(\d+)"))


def _renamed(name: str, pairs: list[tuple[re.Pattern[str], str]]) -> str | None:
    for pattern, to in pairs:
        match = pattern.match(name)
        if match:
            return (to.replace("{n}", match[1]) if match.groups() else to) + name[match.end() :]
    return None


# Folders


def read_config(folder: Path) -> tuple[NetConfig, int]:
    """Shape and vocabulary of a checkpoint. Raises ModelError."""
    try:
        return from_config(_json(folder / "config.json"))
    except FileNotFoundError:
        raise ModelError(f"{folder}: no config.json; name the folder of a {', '.join(FAMILIES)} checkpoint") from None
    except (ModelError, RecipeError) as error:
        raise ModelError(f"{folder}: {error}") from None


def read(folder: Path) -> tuple[NetConfig, int, dict[str, Tensor]]:
    """Shape, vocabulary and fp32 parameters of a checkpoint. Raises ModelError; a pickle is never opened."""
    config, vocabulary = read_config(folder)
    files = [folder / "model.safetensors"]
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        files = [folder / name for name in sorted(set(_json(index).get("weight_map", {}).values()))]
    elif not files[0].is_file():
        pickles = [p.name for p in folder.iterdir() if p.suffix in PICKLES]
        then = f"; {pickles[0]} is a pickle, which can run anything: convert it" if pickles else ""
        raise ModelError(f"{folder}: no model.safetensors{then}")
    try:
        tensors = {name: tensor for file in files for name, tensor in load_file(file).items()}
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{folder}: its weights can't be read: {error}") from None
    try:
        return config, vocabulary, {n: t.float() for n, t in from_theirs(tensors, config).items()}
    except (ModelError, KeyError) as error:
        raise ModelError(f"{folder}: {error}") from None


def _json(path: Path) -> Json:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError):
        found = None
    if not isinstance(found, dict):
        raise ModelError(f"{path.name}: not a JSON object; take the folder from its origin again")
    return found
