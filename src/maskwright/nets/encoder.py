"""The ragged encoder: pre-norm transformer layers with rotary positions and GeGLU, the shape of ModernBERT
(Warner et al., 2024, section 2.1), and the masked net that stands on it.

In: a `Batch`, what is hidden of it, where to predict. Out: a `Distribution` at those positions, or the final states.
Input layer and head are a modality's; nothing here knows which. Parameters are named as ModernBERT names them, so that
the weights of either open in the other (`families.py` holds the rest of that correspondence).

Legend: T tokens, W width, H heads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maskwright.errors import RecipeError
from maskwright.nets import native
from maskwright.nets.attention import DEPTH_STEP, Layout, attend
from maskwright.nets.ops import add_norm, geglu
from maskwright.nets.positions import angles
from maskwright.tokens import Array, Batch, Distribution

EPS = 1e-5


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

    def forward(self, x: Tensor, added: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """x + added, and that normed."""
        return add_norm(x, added, self.weight, None, EPS)


class Attention(nn.Module):
    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.Wqkv = Linear(config.width, 3 * config.width)
        self.Wo = Linear(config.width, config.width)

    def forward(self, x: Tensor, layout: Layout, turn: tuple[Tensor, Tensor], window: int) -> Tensor:
        """(T, W) what each token gathers, before `Wo` maps it back to the residual stream."""
        return attend(self.Wqkv(x).view(len(x), 3, self.heads, -1), turn, layout, window)


class GeGLU(nn.Module):
    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.Wi = Linear(config.width, 2 * config.ff)
        self.Wo = Linear(config.ff, config.width)

    def forward(self, x: Tensor) -> Tensor:
        return self.Wo(geglu(self.Wi(x)))


class Layer(nn.Module):
    def __init__(self, config: NetConfig, number: int) -> None:
        super().__init__()
        # The input layer ends in a norm, so that the first attention needs none (ModernBERT).
        if number:
            self.attn_norm = Norm(config.width)
        self.attn = Attention(config)
        self.mlp_norm = Norm(config.width)
        self.mlp = GeGLU(config)
        self.window = 0 if number % config.global_every == 0 else config.window


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

    def forward(self, x: Tensor, positions: Tensor, cu_seqlens: Array, at: Tensor | None) -> Tensor:
        config, depth = self.config, self.config.width // self.config.heads
        kernels = native.serves(x) and depth % DEPTH_STEP == 0
        layouts = {window: Layout.of(cu_seqlens, kernels, window, x.device) for window in {0, config.window}}
        turns = {local: angles(positions, depth, base)
                 for local, base in ((False, config.rope_global), (True, config.rope_local))}  # fmt: skip
        norms = [layer.attn_norm for layer in self.layers[1:]] + [self.final_norm]
        normed = x
        for layer, norm in zip(self.layers, norms, strict=True):
            gathered = layer.attn(normed, layouts[layer.window], turns[layer.window > 0], layer.window)
            if at is not None and norm is self.final_norm:
                x, gathered = x.index_select(0, at), gathered.index_select(0, at)
            x, normed = layer.mlp_norm(x, layer.attn.Wo(gathered))
            x, normed = norm(x, layer.mlp(normed))
        return normed


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
        x = self.inputs(values, kind, positions, shown, self.dtype)
        index = None if at is None else torch.from_numpy(np_int64(at)).to(to)
        return self.encoder(x, positions[:, 0], batch.cu_seqlens, index)

    def forward(self, batch: Batch, hidden: Array, at: Array) -> Distribution:
        """Distributions at the M tokens `at` (ascending, without repeats)."""
        return self.head(self.states(batch, hidden, at), torch.from_numpy(batch.kind[at]).to(self.device))


def np_int64(index: Array) -> Array:
    return index.astype("int64", copy=False)
