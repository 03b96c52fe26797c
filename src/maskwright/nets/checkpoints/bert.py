"""ModernBERT, BERT and RoBERTa: shapes and parameters of ours in their names, and back.

What is trained here from scratch on texts is a ModernBERT, and stays inside its config.
"""

from __future__ import annotations

from typing import Any

from maskwright.errors import ModelError
from maskwright.nets.checkpoints.family import Family, Json, demand, of_shape
from maskwright.nets.encoder import NetConfig


def _plain(config: NetConfig) -> bool:
    bare = not (config.positions or config.grid or config.first_norm or config.decoder_layers or config.bias or config.kinds)
    return bare and config.norm == "pre" and config.mlp == "geglu"


def _alike(config: NetConfig) -> bool:
    alike = config.norm == "post" and config.mlp == "gelu" and config.bias and config.kinds and config.positions
    return bool(alike) and config.global_every == 1 and not config.decoder_layers


def to_config(config: NetConfig, vocabulary: int, ids: dict[str, int]) -> Json:
    """config.json of a net whose input is a token table and whose head is tied to it."""
    family = of_shape(config, BERT_FAMILIES)
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


def sentence_transformer(config: NetConfig) -> dict[str, Any]:
    """The files by which SentenceTransformer embeds as `Model.embed` does: mean over all tokens, unit length."""
    kind = "sentence_transformers.models."
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": kind + "Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": kind + "Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": kind + "Normalize"},
    ]
    pooling = {"word_embedding_dimension": config.width, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}
    return {
        "modules.json": modules,
        "sentence_bert_config.json": {"max_seq_length": config.length, "do_lower_case": False},
        "1_Pooling/config.json": pooling,
        "2_Normalize/config.json": {},
    }


def _size(theirs: Json) -> Json:
    return {
        "width": theirs["hidden_size"], "layers": theirs["num_hidden_layers"], "heads": theirs["num_attention_heads"],
        "ff": theirs["intermediate_size"],
    }  # fmt: skip


def _of_modernbert(theirs: Json) -> Json:
    demand(theirs, hidden_activation="gelu", classifier_activation="gelu", norm_bias=False, attention_bias=False,
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
            raise ModelError(f"its rope_type is {own['rope_type']!r}", fix="only default is known")
        return float(own.get("rope_theta") or theirs.get(old) or default)

    return _size(theirs) | {
        "window": theirs.get("local_attention", 128),
        "global_every": every,
        "length": theirs.get("max_position_embeddings", 8192),
        "norm_eps": theirs.get("norm_eps", 1e-5),
        "rope_global": theta("full_attention", "global_rope_theta", 160_000.0),
        "rope_local": theta("sliding_attention", "local_rope_theta", 10_000.0),
    }


def _of_bert(theirs: Json, padded: bool) -> Json:
    demand(theirs, hidden_act="gelu", position_embedding_type="absolute", tie_word_embeddings=True, is_decoder=False)
    first = theirs.get("pad_token_id", 1) + 1 if padded else 0
    rows = theirs.get("max_position_embeddings", 512)
    return _size(theirs) | {
        "global_every": 1, "norm": "post", "mlp": "gelu", "bias": True, "norm_eps": theirs.get("layer_norm_eps", 1e-12),
        "positions": rows, "first_position": first, "length": rows - first, "kinds": theirs.get("type_vocab_size", 2),
    }  # fmt: skip


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
    _of_modernbert, _plain, "fill-mask", ignored=("decoder.weight",),
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
        lambda theirs: _of_bert(theirs, name == "roberta"),
        lambda config: _alike(config) and (config.first_position > 0) == (name == "roberta"),
        "fill-mask",
        separate=True,
        ignored=(*ignored, f"{name}.pooler.", f"{name}.embeddings.position_ids", f"{name}.embeddings.token_type_ids"),
        spellings=((r"LayerNorm\.gamma$", "LayerNorm.weight"), (r"LayerNorm\.beta$", "LayerNorm.bias")),
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
BERT_FAMILIES = (MODERNBERT, BERT, ROBERTA)
