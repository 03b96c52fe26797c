"""The masked net: what is shown of a batch -> distributions over what is hidden.

In: a `Batch`, what is hidden of it, where to predict. Out: a `Distribution` at those positions, or the final states. Input
layer and head are a modality's; nothing here knows which. Without a decoder what is hidden is a mask vector among the
others. With one (He et al., 2022, "Masked autoencoders", section 3) what is hidden never enters the encoder, and a few
narrower layers put mask vectors in its places.

Legend: T tokens, S tokens that are seen, M that are asked for, W width, D width of the decoder.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from maskwright.nets.encoder import Encoder, Linear, NetConfig
from maskwright.nets.positions import Grid
from maskwright.tokens import Array, Batch, Distribution, HeadContext


class Decoder(nn.Module):
    """States of what was seen -> states where something is asked, of all in its places."""

    def __init__(self, width: int, config: NetConfig) -> None:
        super().__init__()
        self.embed = Linear(width, config.width, bias=True)
        self.mask = nn.Parameter(torch.randn(1, 1, config.width) / math.sqrt(config.width))  # ViT-MAE's shape
        self.places = Grid(config.grid, config.width) if config.grid else None
        self.encoder = Encoder(config)

    def forward(
        self, states: Tensor, seen: Tensor, kind: Tensor, positions: Tensor, cu_seqlens: Array, at: Tensor
    ) -> Tensor:
        """(S, W) states of the tokens `seen`; `kind` and `positions` of all T -> (M, D)."""
        x = self.mask[0].to(states.dtype).expand(len(kind), -1).index_copy(0, seen, self.embed(states))
        if self.places:
            x = x + self.places(positions, kind).to(x.dtype)
        return self.encoder(x, positions, cu_seqlens, at)


class MaskedNet(nn.Module):
    """Input layer, encoder, perhaps a decoder, head."""

    def __init__(self, config: NetConfig, inputs: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.inputs, self.encoder, self.head = inputs, Encoder(config), head
        listable: Any = head.listable
        self._listable = np.asarray(listable, dtype=bool)
        self.decoder = Decoder(config.width, config.decoder) if config.decoder else None
        self.dtype = torch.float32
        """what activations are computed in; weights stay fp32"""

    @property
    def config(self) -> NetConfig:
        return self.encoder.config

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def lists_values(self) -> bool:
        """Whether there is any kind of value of which it can be listed what may stand somewhere."""
        return bool(self._listable.any())

    def listable(self, kind: Array) -> Array:
        """(N,) bool for tokens of these kinds (N,): whether it can be listed what may stand there, so that one value is
        right and all others wrong."""
        return np.asarray(self._listable[kind])

    def states(self, batch: Batch, hidden: Array) -> Tensor:
        """(T, W) final states of all tokens. What is hidden or absent shows the mask vector; where a decoder takes care of
        it, it has no state: zeros."""
        if self.decoder is None:
            return self._encoded(batch, hidden, None)
        seen = np.flatnonzero(~hidden & batch.present)
        states = self._encoded(batch.only(seen), np.zeros(len(seen), dtype=bool), None)
        return states.new_zeros(len(batch), states.shape[1]).index_copy(0, self._index(seen), states)

    def forward(self, batch: Batch, hidden: Array, at: Array) -> Distribution:
        """Distributions at the M tokens `at` (ascending, without repeats)."""
        kind = torch.from_numpy(batch.kind).to(self.device)
        index = self._index(at)
        if self.decoder is None:
            states = self._encoded(batch, hidden, index)
        else:
            seen = np.flatnonzero(~hidden & batch.present)
            states = self._encoded(batch.only(seen), np.zeros(len(seen), dtype=bool), None)
            positions = torch.from_numpy(batch.positions).to(self.device)
            states = self.decoder(states, self._index(seen), kind, positions, batch.cu_seqlens, index)
        return self.head(states, kind[index], HeadContext(batch, hidden, at))

    def _encoded(self, batch: Batch, hidden: Array, at: Tensor | None) -> Tensor:
        to = self.device
        values = {name: torch.from_numpy(array).to(to) for name, array in batch.values.items()}
        kind, positions = torch.from_numpy(batch.kind).to(to), torch.from_numpy(batch.positions).to(to)
        shown = torch.from_numpy(~hidden & batch.present).to(to)
        x = self.inputs(values, kind, positions, shown, self.dtype)
        return self.encoder(x, positions, batch.cu_seqlens, at)

    def _index(self, index: Array) -> Tensor:
        return torch.from_numpy(index.astype(np.int64, copy=False)).to(self.device)
