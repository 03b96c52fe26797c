"""The ragged encoder: pre-norm transformer layers with rotary positions and GeGLU, the shape of ModernBERT
(Warner et al., 2024, section 2.1), and the masked net that stands on it.

In: a `Batch`, what is hidden of it, where to predict. Out: a `Distribution` at those positions, or the final states.
Input layer and head are a modality's; nothing here knows which. Parameters are named as ModernBERT names them, so that
the weights of either open in the other (`families.py` holds the rest of that correspondence).

Legend: T tokens, S slots (see `attention.Layout`), W width, H heads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maskwright.errors import RecipeError
from maskwright.nets.attention import Layout, attend
from maskwright.nets.positions import angles, rotate
from maskwright.tokens import Array, Batch, Distribution


@dataclass(frozen=True, kw_only=True)
class NetConfig:
    """The shape of a net. `ff` is GeGLU's inner width."""

    width: int = 256
    layers: int = 6
    heads: int = 4
    ff: int = 384
    window: int = 128
    """local attention reaches window // 2 to either side"""
    global_every: int = 3
    """every so-maniest layer, the first among them, reads the whole record"""
    length: int = 256
    """the longest piece of a record that is read at once, framing tokens included"""
    rope_global: float = 10_000.0
    rope_local: float = 10_000.0

    def __post_init__(self) -> None:
        if min(self.width, self.layers, self.heads, self.ff, self.global_every) < 1 or self.length < 8:
            raise RecipeError("net.width, layers, heads, ff and global_every must be at least 1, net.length at least 8")
        if self.width % self.heads or (self.width // self.heads) % 2:
            raise RecipeError(f"net.width {self.width} must be an even multiple of net.heads {self.heads}")


class Linear(nn.Linear):
    """Without bias; fp32 weights work in the precision of what comes in."""

    def __init__(self, inward: int, outward: int) -> None:
        super().__init__(inward, outward, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.to(x.dtype))


class Norm(nn.Module):
    """Layer norm with a scale and no shift."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.weight.shape, self.weight.to(x.dtype), None, 1e-5)


class Attention(nn.Module):
    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.Wqkv = Linear(config.width, 3 * config.width)
        self.Wo = Linear(config.width, config.width)

    def forward(self, x: Tensor, layout: Layout, turn: tuple[Tensor, Tensor], window: int) -> Tensor:
        """(S, W) what each slot gathers, before `Wo` maps it back to the residual stream."""
        qkv = self.Wqkv(x).view(len(x), 3, self.heads, -1)
        turned = torch.cat((rotate(qkv[:, :2], *turn), qkv[:, 2:]), dim=1)
        return attend(turned, layout, window)


class GeGLU(nn.Module):
    """Shazeer, 2020, "GLU variants", equation 6."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.Wi = Linear(config.width, 2 * config.ff)
        self.Wo = Linear(config.ff, config.width)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.Wi(x).chunk(2, dim=-1)
        return self.Wo(F.gelu(value) * gate)


class Layer(nn.Module):
    def __init__(self, config: NetConfig, number: int) -> None:
        super().__init__()
        # The input layer ends in a norm, so that the first attention needs none (ModernBERT).
        self.attn_norm = Norm(config.width) if number else nn.Identity()
        self.attn = Attention(config)
        self.mlp_norm = Norm(config.width)
        self.mlp = GeGLU(config)
        self.window = 0 if number % config.global_every == 0 else config.window

    def forward(self, x: Tensor, layout: Layout, turns: dict[bool, tuple[Tensor, Tensor]], at: Tensor | None) -> Tensor:
        """(S, W) -> (S, W), or its rows `at` alone."""
        gathered = self.attn(self.attn_norm(x), layout, turns[self.window > 0], self.window)
        if at is not None:
            x, gathered = x.index_select(0, at), gathered.index_select(0, at)
        x = x + self.attn.Wo(gathered)
        return x + self.mlp(self.mlp_norm(x))


class Encoder(nn.Module):
    """(T, W) vectors of a ragged batch -> states, (M, W) at the M tokens asked for: the last layer works for them alone."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(Layer(config, number) for number in range(config.layers))
        self.final_norm = Norm(config.width)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:  # what writes to the residual stream starts smaller the deeper the net (GPT-2)
                scale = math.sqrt(2 * config.layers) if name.endswith("Wo.weight") else 1.0
                nn.init.trunc_normal_(weight, std=1 / math.sqrt(weight.shape[1]) / 1.5 / scale)

    def forward(self, x: Tensor, positions: Tensor, layout: Layout, at: Tensor | None) -> Tensor:
        config, depth = self.config, self.config.width // self.config.heads
        x, places = layout.spread(x), layout.spread(positions)
        turns = {local: angles(places, depth, base, x.dtype)
                 for local, base in ((False, config.rope_global), (True, config.rope_local))}  # fmt: skip
        asked = layout.slot if at is None else layout.slot.index_select(0, at)
        for number, layer in enumerate(self.layers, 1):
            x = layer(x, layout, turns, asked if number == len(self.layers) else None)
        return self.final_norm(x)


class MaskedNet(nn.Module):
    """Input layer, encoder, head: what is shown of a batch -> distributions over what is hidden."""

    def __init__(self, config: NetConfig, inputs: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.inputs, self.encoder, self.head = inputs, Encoder(config), head
        self.dtype = torch.float32
        """what activations are computed in; weights stay fp32"""

    @property
    def config(self) -> NetConfig:
        return self.encoder.config

    @property
    def device(self) -> torch.device:
        return self.encoder.final_norm.weight.device

    def states(self, batch: Batch, hidden: Array, at: Array | None = None) -> Tensor:
        """(M, W) final states of the tokens `at`, or (T, W) of all; what is hidden or absent shows the mask vector."""
        to = self.device
        values = {name: torch.from_numpy(array).to(to) for name, array in batch.values.items()}
        kind, positions = torch.from_numpy(batch.kind).to(to), torch.from_numpy(batch.positions).to(to)
        shown = torch.from_numpy(~hidden & batch.present).to(to)
        x = self.inputs(values, kind, positions, shown).to(self.dtype)
        index = None if at is None else torch.from_numpy(np_int64(at)).to(to)
        return self.encoder(x, positions[:, 0], Layout.of(batch.cu_seqlens, to), index)

    def forward(self, batch: Batch, hidden: Array, at: Array) -> Distribution:
        """Distributions at the M tokens `at` (ascending, without repeats)."""
        return self.head(self.states(batch, hidden, at), torch.from_numpy(batch.kind[at]).to(self.device))


def np_int64(index: Array) -> Array:
    return index.astype("int64", copy=False)
