"""Heads and the distributions they give: here a choice among V recorded values.

In: (M, W) states at the positions asked. Out: a `Categorical` over V ids, whose logits are made only when read. Knows
nothing of what an id stands for.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maskwright.nets.encoder import Linear, NetConfig, Norm
from maskwright.nets.ops import choice_nll, embed_norm
from maskwright.tokens import HeadContext, RandomSource


class TokenInput(nn.Module):
    """A vector a token id, the mask's where nothing is shown, and one a position where those are learned; then a norm."""

    def __init__(self, vocabulary: int, config: NetConfig, mask_id: int) -> None:
        super().__init__()
        self.mask_id, self.first_position = mask_id, config.first_position
        self.tok_embeddings = nn.Embedding(vocabulary, config.width)
        self.pos_embeddings = nn.Embedding(config.positions, config.width) if config.positions else None
        self.kind_embeddings = nn.Embedding(config.kinds, config.width) if config.kinds else None
        self.norm = Norm(config)

    def forward(
        self, values: dict[str, Tensor], kind: Tensor, positions: Tensor, shown: Tensor, dtype: torch.dtype
    ) -> Tensor:
        ids = torch.where(shown, values["id"].long(), self.mask_id)
        if self.pos_embeddings is None and self.norm.bias is None:
            return embed_norm(self.tok_embeddings.weight, ids, self.norm.weight, self.norm.eps, dtype)
        x = self.tok_embeddings(ids)
        if self.pos_embeddings is not None:
            x = x + self.pos_embeddings(positions[:, 0] + self.first_position)
        if self.kind_embeddings is not None:
            x = x + self.kind_embeddings.weight[0]
        return self.norm(x)[1].to(dtype)


class TokenHead(nn.Module):
    """The prediction head of BERT and ModernBERT: dense, GELU, norm, then the input's own vectors as the decoder, and a
    bias."""

    listable = (True,)
    """For each kind of value, whether the values that may stand there can be listed: token ids can."""

    def __init__(self, inputs: TokenInput, config: NetConfig) -> None:
        super().__init__()
        vocabulary, width = inputs.tok_embeddings.weight.shape
        self.dense = Linear(width, width, config.bias)
        self.norm = Norm(config)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        self._tied = [inputs.tok_embeddings]  # in a list, so that the weight is registered once
        nn.init.eye_(self.dense.weight)

    def forward(self, states: Tensor, kind: Tensor, scene: HeadContext) -> Categorical:
        _, features = self.norm(F.gelu(self.dense(states)))
        return Categorical(features, self._tied[0].weight, self.bias)


class Categorical:
    """M distributions over V ids: logits = features @ weight.T + bias, divided by a temperature.

    `allowed` (M or 1, V) bool leaves out ids, and the rest sums to one. Values are {"id": (M,)}.
    """

    def __init__(
        self, features: Tensor, weight: Tensor, bias: Tensor, temperature: float = 1.0, allowed: Tensor | None = None
    ) -> None:
        self.features, self.weight, self.bias = features, weight, bias
        self.temperature, self.allowed = temperature, allowed
        self._log_probs: Tensor | None = None

    def __len__(self) -> int:
        return len(self.features)

    def logits(self) -> Tensor:
        """(M, V) fp32, before temperature and exclusions: what Hugging Face's models return."""
        return F.linear(self.features, self.weight.to(self.features.dtype)).float() + self.bias

    def log_probs(self) -> Tensor:
        """(M, V) fp32."""
        if self._log_probs is None:
            logits = self.logits() / self.temperature
            if self.allowed is not None:
                logits = logits.masked_fill(~self.allowed, -torch.inf)
            self._log_probs = torch.log_softmax(logits, dim=-1)
        return self._log_probs

    def nll(self, values: dict[str, Any]) -> Tensor:
        target = torch.as_tensor(values["id"]).to(self.features.device).long()
        if self.temperature == 1.0 and self.allowed is None and self._log_probs is None:
            return choice_nll(self.features, self.weight, self.bias, target)
        return -self.log_probs().gather(1, target[:, None])[:, 0]

    def loss(self, values: dict[str, Any]) -> tuple[Tensor, Tensor]:
        nats = self.nll(values)
        return nats, torch.zeros_like(nats)

    def mode(self) -> dict[str, Tensor]:
        return {"id": self.log_probs().argmax(-1)}

    def sample(self, rng: RandomSource) -> dict[str, Tensor]:
        uniform = torch.from_numpy(rng.random((len(self),))).to(self.features.device)
        cumulative = self.log_probs().double().exp().cumsum(-1)
        drawn = torch.searchsorted(cumulative, (uniform * cumulative[:, -1])[:, None])[:, 0]
        return {"id": drawn.clamp(max=cumulative.shape[1] - 1)}

    def candidates(self, k: int) -> tuple[dict[str, Tensor], Tensor]:
        best = self.log_probs().topk(min(k, self.bias.shape[0]), dim=-1)
        return {"id": best.indices}, best.values

    def region(self, level: float) -> list[dict[str, Tensor]]:
        out = []
        for row in self.log_probs():
            inside = torch.nonzero(-row <= level)[:, 0]
            out.append({"id": inside[torch.argsort(row[inside], descending=True, stable=True)]})
        return out

    def certainty(self) -> Tensor:
        return self.log_probs().max(-1).values.exp()

    def calm(self, temperature: float) -> Categorical:
        return self.tempered(temperature)

    def tempered(self, temperature: float) -> Categorical:
        return Categorical(self.features, self.weight, self.bias, self.temperature * temperature, self.allowed)

    def take(self, rows: Any) -> Categorical:
        """The distributions at some of the positions."""
        index = torch.as_tensor(rows, device=self.features.device)
        allowed = self.allowed if self.allowed is None or len(self.allowed) == 1 else self.allowed[index]
        out = Categorical(self.features[index], self.weight, self.bias, self.temperature, allowed)
        out._log_probs = None if self._log_probs is None else self._log_probs[index]
        return out

    def restricted(self, allowed: Tensor) -> Categorical:
        """The same distribution given that the value is one of `allowed`, (M or 1, V) bool."""
        both = allowed if self.allowed is None else self.allowed & allowed
        return Categorical(self.features, self.weight, self.bias, self.temperature, both)
