"""The ragged encoder: pre-norm transformer layers with rotary positions and GeGLU, the shape of ModernBERT (Warner et al.,
2024, section 2.1), or with learned or fixed positions and other options, those of BERT and ViT.

In: vectors of many records end to end, where each begins. Out: states. What the vectors stand for is not known here, nor
what is made of the states. Parameters are named as ModernBERT names them, so that the weights of either open in the other
(`checkpoints/convert.py` holds the rest of that correspondence).

Legend: T tokens, W width, H heads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maskwright.errors import RecipeError
from maskwright.nets.attention import Layout, Rotation, attend, reader_of
from maskwright.nets.ops import add_norm, geglu, gelu
from maskwright.nets.positions import angles
from maskwright.tokens import Array


@dataclass(frozen=True, kw_only=True)
class NetConfig:
    """The shape of a net."""

    width: int = 256
    """The width of a token's state."""
    layers: int = 6
    """Layers of the encoder."""
    heads: int = 4
    """Heads of attention, which share the width."""
    ff: int = 384
    """The inner width of the feed-forward part; of GeGLU, of either half."""
    window: int = 128
    """Tokens of local attention: it reaches half as many to either side."""
    global_every: int = 3
    """The interval of global layers: every so many layers, from the first on, one reads the whole record."""
    length: int = 256
    """Tokens of the longest piece of a record that is read at once, framing included."""
    rope_global: float = 10_000.0
    """The base of rotary positions where the whole record is read."""
    rope_local: float = 10_000.0
    """The base of rotary positions in local attention."""
    norm: str = "pre"
    """Where the norms are: pre (before attention and MLP, as in ModernBERT) or post (after the residual sum, as in BERT)."""
    norm_eps: float = 1e-5
    """What norms add to a variance before its root is taken."""
    mlp: str = "geglu"
    """The feed-forward part: geglu, or gelu, which has no gate."""
    bias: bool = False
    """Whether linear maps and norms have a bias."""
    positions: int = 0
    """Rows of a learned table of positions; at 0 positions are rotary."""
    first_position: int = 0
    """The row, in the table of learned positions, of a record's first token."""
    kinds: int = 0
    """Rows of a table of segments, of which the first is always used (BERT's token types)."""
    grid: int = 0
    """The side of a square grid of fixed positions (MAE's sines and cosines); at 0 there is none."""
    first_norm: bool = False
    """Whether the first layer norms what it reads, where the input layer doesn't end in a norm (ViT)."""
    decoder_layers: int = 0
    """Layers of a decoder, which puts what is hidden in its place after an encoder that never sees it (He et al., 2022). At
    0 there is none, and what is hidden is a mask vector in the encoder."""
    decoder_width: int = 0
    """The width of a token's state in the decoder; 0 stands for the encoder's."""
    decoder_heads: int = 0
    """Heads of attention in the decoder; 0 stands for as many as in the encoder."""
    decoder_ff: int = 0
    """The inner width of the decoder's feed-forward part; 0 stands for the encoder's."""

    def __post_init__(self) -> None:
        if min(self.width, self.layers, self.heads, self.ff, self.global_every) < 1 or self.length < 8:
            raise RecipeError("net.width, layers, heads, ff and global_every must be at least 1, net.length at least 8")
        if self.width % self.heads or (self.width // self.heads) % 2:
            what = f"net.width {self.width} must be an even multiple of net.heads {self.heads}"
            raise RecipeError(what, option="net.heads")
        if self.window < 2:
            fix = "net.global_every = 1 lets every layer read the whole record"
            raise RecipeError("net.window must be at least 2", fix=fix, option="net.window")
        for name, choices in (("norm", ("pre", "post")), ("mlp", ("geglu", "gelu"))):
            if getattr(self, name) not in choices:
                what = f"net.{name} = {getattr(self, name)!r}: choose {' or '.join(choices)}"
                raise RecipeError(what, option=f"net.{name}")
        if self.positions and self.length > self.positions - self.first_position:
            raise RecipeError(
                f"net.length {self.length}: the table of positions ends at {self.positions - self.first_position}"
            )
        if self.grid and (self.positions or self.width % 4):
            raise RecipeError("net.grid: its positions need a net.width that 4 divides, and no other table (net.positions)")
        if self.decoder_layers and self.positions:
            what = "net.decoder_layers: a decoder has no learned positions"
            raise RecipeError(what, fix="leave net.positions or it out", option="net.decoder_layers")
        if self.decoder_layers:
            try:
                _ = self.decoder
            except RecipeError as error:
                raise RecipeError(error.message, where="the decoder's shape") from None

    @property
    def decoder(self) -> NetConfig | None:
        """The decoder's layers, as the shape of an encoder."""
        if not self.decoder_layers:
            return None
        return replace(
            self, width=self.decoder_width or self.width, layers=self.decoder_layers, heads=self.decoder_heads or self.heads,
            ff=self.decoder_ff or self.ff, first_norm=True, decoder_layers=0, decoder_width=0, decoder_heads=0, decoder_ff=0,
        )  # fmt: skip


class Linear(nn.Linear):
    """fp32 weights work in the precision of what comes in."""

    def __init__(self, inward: int, outward: int, bias: bool) -> None:
        super().__init__(inward, outward, bias)
        if bias:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.to(x.dtype), None if self.bias is None else self.bias.to(x.dtype))


class Norm(nn.Module):
    """Layer norm with a scale, and a shift where the net has biases."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.eps = config.norm_eps
        self.weight = nn.Parameter(torch.ones(config.width))
        self.bias = nn.Parameter(torch.zeros(config.width)) if config.bias else None

    def forward(self, x: Tensor, added: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """x + added, and that normed."""
        return add_norm(x, added, self.weight, self.bias, self.eps)


class Attention(nn.Module):
    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.Wqkv = Linear(config.width, 3 * config.width, config.bias)
        self.Wo = Linear(config.width, config.width, config.bias)

    def forward(self, x: Tensor, layout: Layout, turn: Rotation | None, window: int) -> Tensor:
        """(T, W) what each token gathers, before `Wo` maps it back to the residual stream."""
        return attend(self.Wqkv(x).view(len(x), 3, self.heads, x.shape[1] // self.heads), turn, layout, window)


class MLP(nn.Module):
    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.gated = config.mlp == "geglu"
        self.Wi = Linear(config.width, (1 + self.gated) * config.ff, config.bias)
        self.Wo = Linear(config.ff, config.width, config.bias)

    def forward(self, x: Tensor) -> Tensor:
        if self.gated:
            return self.Wo(geglu(self.Wi(x)))
        return self.Wo(gelu(F.linear(x, self.Wi.weight.to(x.dtype)), self.Wi.bias))  # which adds the bias in its own pass


class Layer(nn.Module):
    def __init__(self, config: NetConfig, number: int) -> None:
        super().__init__()
        self.post = config.norm == "post"
        self.bare = number == 0 and not config.first_norm and not self.post
        """reads what comes in as it is: the input layer ends in a norm (ModernBERT)"""
        if not self.bare:
            self.attn_norm = Norm(config)
        self.attn = Attention(config)
        self.mlp_norm = Norm(config)
        self.mlp = MLP(config)
        self.window = 0 if number % config.global_every == 0 else config.window

    def forward(
        self,
        x: Tensor,
        added: Tensor | None,
        layouts: dict[int, Layout],
        turns: dict[int, Rotation | None],
        at: Tensor | None,
    ) -> tuple[Tensor, Tensor | None]:
        """(T, W) the residual stream and what is still to be added to it, in and out; out only the tokens `at`.

        Layouts and rotations are by window. A sum is left to the norm that follows it, which makes both in one pass over
        memory.
        """
        normed = x
        if not (self.bare or self.post):
            x, normed = self.attn_norm(x, added)
        gathered = self.attn(normed, layouts[self.window], turns[self.window], self.window)
        if at is not None:
            x, gathered = x.index_select(0, at), gathered.index_select(0, at)
        if self.post:
            x = self.attn_norm(x, self.attn.Wo(gathered))[1]
            return self.mlp_norm(x, self.mlp(x))[1], None
        x, normed = self.mlp_norm(x, self.attn.Wo(gathered))
        return x, self.mlp(normed)


class Encoder(nn.Module):
    """(T, W) vectors of a ragged batch -> states, (M, W) at the M tokens asked for: the last layer works for them alone."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(Layer(config, number) for number in range(config.layers))
        if config.norm == "pre":
            self.final_norm = Norm(config)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:  # what writes to the residual stream starts smaller the deeper the net (GPT-2)
                scale = math.sqrt(2 * config.layers) if name.endswith("Wo.weight") else 1.0
                nn.init.trunc_normal_(weight, std=1 / math.sqrt(weight.shape[1]) / 1.5 / scale)

    def forward(self, x: Tensor, positions: Tensor, cu_seqlens: Array, at: Tensor | None) -> Tensor:
        config, depth = self.config, self.config.width // self.config.heads
        reader = reader_of(x, depth)
        layouts = {window: Layout.of(cu_seqlens, reader, window, x.device, x.dtype) for window in {0, config.window}}
        bases = {config.window: config.rope_local, 0: config.rope_global}
        turns = {w: None if config.positions or config.grid else angles(positions, depth, base) for w, base in bases.items()}
        added: Tensor | None = None
        for layer in self.layers:
            last = layer is self.layers[-1]
            x, added = layer(x, added, layouts, turns, at if last else None)
        return x if config.norm == "post" else self.final_norm(x, added)[1]
