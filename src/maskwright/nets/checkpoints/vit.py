"""ViT-MAE (He et al., 2022) and ViT (Dosovitskiy et al., 2021): shapes and parameters of ours in their names, and back.

A ViT has no decoder: one of half its width is put behind it, to be trained.
"""

from __future__ import annotations

from maskwright.errors import ModelError
from maskwright.nets.checkpoints.family import Family, Json, demand, of_shape
from maskwright.nets.encoder import NetConfig

DECODER_LAYERS = 4
TASK = "image-feature-extraction"


def vit_mae(width: int, layers: int, heads: int, ff: int, grid: int, eps: float = 1e-12) -> Json:
    """What makes a `NetConfig` of that size a ViT-MAE, with a decoder of half the width."""
    return {
        "width": width, "layers": layers, "heads": heads, "ff": ff, "norm": "pre", "norm_eps": eps, "mlp": "gelu",
        "bias": True, "global_every": 1, "first_norm": True, "grid": grid, "length": grid**2 + 1,
        "decoder_layers": DECODER_LAYERS, "decoder_width": width // 2, "decoder_heads": max(heads // 2, 1),
        "decoder_ff": ff // 2,
    }  # fmt: skip


def to_config(config: NetConfig, patch: int, channels: int, norm_pix: bool) -> Json:
    """config.json of a ViT-MAE."""
    of_shape(config, VIT_FAMILIES)
    decoder = config.decoder
    assert decoder is not None  # a shape that fits has one
    return {
        "model_type": "vit_mae",
        "architectures": ["ViTMAEForPreTraining"],
        "hidden_size": config.width,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "intermediate_size": config.ff,
        "decoder_hidden_size": decoder.width,
        "decoder_num_hidden_layers": decoder.layers,
        "decoder_num_attention_heads": decoder.heads,
        "decoder_intermediate_size": decoder.ff,
        "image_size": config.grid * patch,
        "patch_size": patch,
        "num_channels": channels,
        "layer_norm_eps": config.norm_eps,
        "hidden_act": "gelu",
        "qkv_bias": True,
        "norm_pix_loss": norm_pix,
        "mask_ratio": 0.75,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "torch_dtype": "float32",
    }


def _fits(config: NetConfig) -> bool:
    plain = config.norm == "pre" and config.mlp == "gelu" and config.bias and config.first_norm
    return bool(plain and config.grid and config.decoder_layers and config.global_every == 1)


def _of_vit(theirs: Json) -> Json:
    demand(theirs, hidden_act="gelu", qkv_bias=True)
    side, patch = theirs.get("image_size", 224), theirs.get("patch_size", 16)
    if not isinstance(side, int) or not isinstance(patch, int) or side % patch:
        raise ModelError(f"its image_size {side} is not a whole number of patches of {patch} pixels a side")
    return vit_mae(
        theirs["hidden_size"], theirs["num_hidden_layers"], theirs["num_attention_heads"], theirs["intermediate_size"],
        side // patch, theirs.get("layer_norm_eps", 1e-12),
    )  # fmt: skip


def _of_vit_mae(theirs: Json) -> Json:
    return _of_vit(theirs) | {
        "decoder_layers": theirs["decoder_num_hidden_layers"], "decoder_width": theirs["decoder_hidden_size"],
        "decoder_heads": theirs["decoder_num_attention_heads"], "decoder_ff": theirs["decoder_intermediate_size"],
    }  # fmt: skip


def _layer(ours: str, theirs: str) -> tuple[tuple[str, str], ...]:
    return (
        (f"{ours}attn.Wq.", f"{theirs}attention.attention.query."),
        (f"{ours}attn.Wk.", f"{theirs}attention.attention.key."),
        (f"{ours}attn.Wv.", f"{theirs}attention.attention.value."),
        (f"{ours}attn.Wo.", f"{theirs}attention.output.dense."),
        (f"{ours}attn_norm.", f"{theirs}layernorm_before."),
        (f"{ours}mlp.Wi.", f"{theirs}intermediate.dense."),
        (f"{ours}mlp.Wo.", f"{theirs}output.dense."),
        (f"{ours}mlp_norm.", f"{theirs}layernorm_after."),
    )


_NAMES = (
    ("inputs.frame", "vit.embeddings.cls_token"),
    ("inputs.places.table", "vit.embeddings.position_embeddings"),
    ("inputs.projection.", "vit.embeddings.patch_embeddings.projection."),
    *_layer("encoder.layers.{n}.", "vit.encoder.layer.{n}."),
    ("encoder.final_norm.", "vit.layernorm."),
    ("decoder.embed.", "decoder.decoder_embed."),
    ("decoder.mask", "decoder.mask_token"),
    ("decoder.places.table", "decoder.decoder_pos_embed"),
    *_layer("decoder.encoder.layers.{n}.", "decoder.decoder_layers.{n}."),
    ("decoder.encoder.final_norm.", "decoder.decoder_norm."),
    ("head.out.", "decoder.decoder_pred."),
)
VIT_MAE = Family(
    "vit_mae", "ViTMAEForPreTraining", "vit.", _NAMES, _of_vit_mae, _fits, TASK, separate=True,
    ignored=("vit.pooler.", "classifier."), spellings=((r"decoder_encoder\.layer", "decoder_layers"),),
)  # fmt: skip
VIT = Family("vit", "ViTModel", "vit.", _NAMES, _of_vit, lambda config: False, TASK)
"""Plain ViT: read as the encoder of a ViT-MAE, and written as one."""
VIT_FAMILIES = (VIT_MAE, VIT)
