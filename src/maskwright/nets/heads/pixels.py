"""Patches of pixels: an input layer, a head, and exact probabilities of a patch's recorded levels.

In: levels (T, D) of D pixel values a patch, row by row, channels last; which of them are known. Out: vectors; and `Levels`,
a probability over all patches: value after value, each is a logistic cut at the recorded levels (Salimans et al., 2017,
"PixelCNN++", section 2.1), whose mean and width follow the values before it in its patch: a draw hangs together, what is
smooth stays smooth, nats are exact. Knows nothing of pictures.

Legend: M positions, D values a patch, W width, L levels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maskwright.errors import QueryError
from maskwright.nets.encoder import Linear, NetConfig, Norm
from maskwright.nets.heads import logistic
from maskwright.nets.heads.gradient_balance import balanced_gradients
from maskwright.nets.heads.hog import HOG_SIZE, hog
from maskwright.tokens import Array, HeadContext, RandomSource

SHARPEST, WIDEST = -7.0, 3.0
"""The least and the largest log scale of a logistic, where 256 levels lie from -1 to 1; where there are more levels, the
least is as narrow compared with one of them."""
FAR = 4.0
"""How far a value in a calm draw may lie from its mean, in widths of its logistic by itself (not given the values before
it)."""
PULL = 3.0
"""How many times as much outlines move the features, from which both are told, as pixels do: at less, vectors need more
labels to tell shapes apart; at ten, photographs lose their colours."""


class PixelInput(nn.Module):
    """A linear map of a patch's levels and of which are known, the mask's vector where nothing is shown; then a norm."""

    def __init__(self, values: int, channels: int, levels: int, config: NetConfig) -> None:
        super().__init__()
        self.channels, self.levels = channels, levels
        self.patch = Linear(values + values // channels, config.width, bias=True)
        self.mask = nn.Parameter(torch.randn(config.width) / math.sqrt(config.width))
        self.norm = Norm(config)

    def forward(
        self, values: dict[str, Tensor], kind: Tensor, positions: Tensor, shown: Tensor, dtype: torch.dtype
    ) -> Tensor:
        known = values["known"]
        level = placed(values["pixels"], self.levels) * known.repeat_interleave(self.channels, dim=1)
        x = self.patch(torch.cat((level, known.float()), dim=1))
        return self.norm(torch.where(shown[:, None], x, self.mask))[1].to(dtype)


@dataclass(frozen=True)
class Chain:
    """How a value follows those before it in its patch, the same in every patch: (D, D) each, of which what lies below the
    diagonal counts. (These are the head's own, not copies: distributions may be kept by the thousand.)"""

    mean: Tensor
    """(D, D) weights: by how much a value's mean moves with how far each earlier value lies from its own mean."""
    width: Tensor
    """(D, D) weights: by how much a value's log scale grows with how far each earlier value was from what was expected of it
    (as in ARCH: Engle, 1982)."""


class PixelHead(nn.Module):
    """A mean and two scales for every value of a patch (given the values before it, and by itself), and their chain; and
    its outlines, which nothing but learning asks for."""

    listable = (False,)
    """For each kind of value, whether the values that may stand there can be listed: patches can't."""

    def __init__(self, values: int, channels: int, levels: int, config: NetConfig) -> None:
        super().__init__()
        self.channels, self.levels = channels, levels
        self.dense = Linear(config.width, config.width, bias=True)
        self.norm = Norm(config)
        self.out = Linear(config.width, 3 * values, bias=True)
        self.outlines = Linear(config.width, HOG_SIZE, bias=True)
        self.following = nn.Parameter(torch.zeros(values, values))
        self.swaying = nn.Parameter(torch.zeros(values, values))
        nn.init.eye_(self.dense.weight)
        nn.init.zeros_(self.out.weight)

    def begin(self, mean: Tensor, log_scale: Tensor) -> None:
        """Every value at its channel's mean, as wide as its channel spreads."""
        self.out.bias.copy_(torch.cat((mean, log_scale, log_scale)))

    def forward(self, states: Tensor, kind: Tensor, scene: HeadContext) -> Levels:
        _, features = self.norm(F.gelu(self.dense(states)))
        features, drawn = balanced_gradients(features.float(), PULL)  # bf16 would round a mean by half a level
        parts = zip(self.out.weight.chunk(3), self.out.bias.chunk(3), strict=True)
        mean, given, alone = (F.linear(features, weight, bias) for weight, bias in parts)
        scales = given.clamp(sharpest(self.levels), WIDEST), alone.clamp(sharpest(self.levels), WIDEST)
        chain = Chain(self.following, self.swaying)
        return Levels(mean, *scales, chain, self.levels, self.channels, expected=self.outlines(drawn))


def sharpest(levels: int) -> float:
    return SHARPEST - math.log((levels - 1) / 255)


def placed(level: Tensor, levels: int) -> Tensor:
    """Levels 0 to L - 1 to -1 to 1."""
    return level.float() * (2 / (levels - 1)) - 1


class Levels:
    """M distributions over patches of D values. Values are {"pixels": (M, D) levels, "known": (M, D / channels) bool}, or
    the first alone; what is not known counts for nothing, and what follows it takes its mean for it. `told` (M, D): values
    that are certain, those of `mean`. `expected` (M, OUTLINES): the patch's outlines, where the head has just told them.
    `calmed`: surprises widen nothing in draws, and no value of them strays from what it might be by itself."""

    def __init__(
        self, mean: Tensor, log_scale: Tensor, log_alone: Tensor, chain: Chain, levels: int, channels: int,
        told: Tensor | None = None, expected: Tensor | None = None, calmed: bool = False,
    ) -> None:  # fmt: skip
        self.calmed = calmed
        self.mean, self.log_scale, self.log_alone, self.chain = mean, log_scale, log_alone, chain
        self.levels, self.channels, self.told, self.expected = levels, channels, told, expected

    def __len__(self) -> int:
        return len(self.mean)

    def nll(self, values: dict[str, Any]) -> Tensor:
        return self.nats(values).sum(1)

    def loss(self, values: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Nats; and as an auxiliary loss those of each value by itself, since what a patch says of its later values would
        hide what the net knows of it, its means above all; and how far its outlines are from what was expected, since nats
        are grain and shade, most of them, and a net that learned them alone would hardly know what an image shows. (How much
        that weighs is the head's to say: `balanced_gradients`.)"""
        x, known = self._read(values)
        nats = self._given(x, known).sum(1)
        auxiliary = logistic.nats(x, self.mean, self.log_alone, known, self.levels).sum(1)
        if self.expected is not None:
            missed = (self.expected - hog(x, known[:, :: self.channels])).square().sum(1)
            auxiliary = auxiliary + missed * known.sum(1)
        return nats, auxiliary

    def nats(self, values: dict[str, Any]) -> Tensor:
        """(M, D) of every value, given those before it in its patch."""
        return self._given(*self._read(values))

    def _given(self, x: Tensor, known: Tensor) -> Tensor:
        mean = self.mean + logistic.chained((x - self.mean) * known, self.chain.mean.tril(-1))
        surprise = logistic.surprise(x, mean, self.log_scale, known)
        return logistic.nats(
            x, mean, self._swayed(logistic.chained(surprise, self.chain.width.tril(-1))), known, self.levels
        )

    def _swayed(self, by: Tensor, at: Any = slice(None)) -> Tensor:
        return (self.log_scale[:, at] + by).clamp(sharpest(self.levels), WIDEST)

    def _read(self, values: dict[str, Any]) -> tuple[Tensor, Tensor]:
        level = torch.as_tensor(values["pixels"]).to(self.mean.device)
        known = torch.as_tensor(values.get("known", self._all())).to(self.mean.device)
        known = known[:, :, None].expand(-1, -1, self.channels).reshape(level.shape)
        return placed(level, self.levels), known if self.told is None else known & ~self.told

    def mode(self) -> dict[str, Tensor]:
        """The middle of every value's logistic: what follows from values that are all at their means."""
        return {"pixels": self._level(self.mean)}

    def _level(self, x: Tensor) -> Tensor:
        return ((x + 1) * ((self.levels - 1) / 2)).round().clamp(0, self.levels - 1).to(torch.int32)

    def sample(self, rng: RandomSource) -> dict[str, Tensor]:
        rows, values = self.mean.shape
        chance = torch.from_numpy(rng.random((rows, 2, values))).to(self.mean.device, torch.float32)
        even = torch.from_numpy(rng.integers(0, self.levels, (rows, values))).to(self.mean.device, torch.int32)
        noise = torch.logit(chance[:, 0], eps=1e-7)
        out, apart, surprise = torch.empty_like(even), torch.zeros_like(self.mean), torch.zeros_like(self.mean)
        open_ = torch.ones_like(self.mean, dtype=torch.bool) if self.told is None else ~self.told
        for i in range(self.mean.shape[1]):
            mean = self.mean[:, i] + apart[:, :i] @ self.chain.mean[i, :i]
            by = surprise[:, :i] @ self.chain.width[i, :i]
            value = mean + self._swayed(by.clamp(max=0) if self.calmed else by, i).exp() * noise[:, i]
            if self.calmed:
                reach = FAR * self.log_alone[:, i].exp()
                value = value.clamp(self.mean[:, i] - reach, self.mean[:, i] + reach)
            drawn = self._level(value)
            out[:, i] = drawn if self.calmed else torch.where(chance[:, 1, i] < logistic.SPREAD, even[:, i], drawn)
            if self.told is not None:
                out[:, i] = torch.where(self.told[:, i], self._level(self.mean[:, i]), out[:, i])
            x = placed(out[:, i], self.levels)
            apart[:, i] = (x - self.mean[:, i]) * open_[:, i]
            surprise[:, i] = logistic.surprise(x, mean, self.log_scale[:, i], open_[:, i])
        return {"pixels": out}

    def candidates(self, k: int) -> tuple[dict[str, Tensor], Tensor]:
        """The mode alone: of the many patches beside it none is a candidate of its own."""
        best = self.mode()["pixels"]
        return {"pixels": best[:, None]}, -self.nll({"pixels": best})[:, None]

    def _all(self) -> Tensor:
        return torch.ones(len(self), self.mean.shape[1] // self.channels, dtype=torch.bool, device=self.mean.device)

    def region(self, level: float) -> list[dict[str, Tensor]]:
        what = "a patch of pixels has too many values to list a set of them"
        raise QueryError(what, where="coverage", fix="leave it out", option="coverage")

    def certainty(self) -> Tensor:
        """The mode's probability, as that of a single value of those that are not told."""
        open_ = self.mean.shape[1] if self.told is None else (~self.told).sum(1).clamp(min=1)
        return (self.candidates(1)[1][:, 0] / open_).exp()

    def tempered(self, temperature: float) -> Levels:
        """Every logistic as much wider or narrower, which divides log probabilities far from its middle."""
        scales = (scale + math.log(temperature) for scale in (self.log_scale, self.log_alone))
        given, alone = (scale.clamp(sharpest(self.levels), WIDEST) for scale in scales)
        return Levels(self.mean, given, alone, self.chain, self.levels, self.channels, self.told)

    def calm(self, temperature: float) -> Levels:
        """In pictures a surprise foretells more of them. In a draw, which has as many as the widths say, each would widen
        what follows, and means would wander off with it."""
        made = self.tempered(temperature)
        scales = made.log_scale, made.log_alone
        return Levels(made.mean, *scales, made.chain, made.levels, made.channels, made.told, calmed=True)

    def take(self, rows: Any) -> Levels:
        index = torch.as_tensor(rows, device=self.mean.device)
        scales = self.log_scale[index], self.log_alone[index]
        told = None if self.told is None else self.told[index]
        return Levels(self.mean[index], *scales, self.chain, self.levels, self.channels, told)

    def given(self, rows: Sequence[int], level: Array, known: Array, there: Array) -> Levels:
        """The same where of some rows a part is told: levels (n, D), which pixels (n, D / C) are, and which exist at all.
        What was told is certain, and the others' means are those of the normal distribution with the same chain and widths;
        what lies beyond a picture's edge stays at its mean, as `nats` has it."""
        mean, told = self.mean.clone(), torch.zeros_like(self.mean, dtype=torch.bool)
        certain, inside = (
            torch.from_numpy(pixels).to(mean.device).repeat_interleave(self.channels, dim=1) for pixels in (known, there)
        )
        x = torch.where(inside, placed(torch.from_numpy(level).to(mean.device), self.levels), mean[list(rows)])
        steps = (torch.eye(mean.shape[1], device=mean.device) - self.chain.mean.tril(-1)).double()
        for i, row in enumerate(rows):
            own = certain[i] | ~inside[i]
            if certain[i].any():
                inner = steps.T @ (steps * (-2 * self.log_scale[row].double()).exp()[:, None])  # their inverse covariance
                moved = inner[~own][:, own] @ (x[i, own] - self.mean[row, own]).double()
                mean[row, ~own] -= torch.linalg.solve(inner[~own][:, ~own], moved).float()
            mean[row, own], told[row] = x[i, own], own
        return Levels(mean, self.log_scale, self.log_alone, self.chain, self.levels, self.channels, told)
