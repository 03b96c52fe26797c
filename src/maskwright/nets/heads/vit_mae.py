"""Input and head of ViT-MAE (He et al., 2022, section 3): a linear map of a patch, and the mean square error of its pixels.

In: levels (T, D) of D pixel values a patch, row by row, channels last. Out: vectors; and a `Levels` whose loss is theirs:
the squared error, in pixels that are normalised by a mean and a deviation a channel, and perhaps once more by those of their
patch. Of widths it learns nothing: scores and bits have the ones that are set here, and only fills those that calibration
finds. Parameters have the shapes that ViT gives them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maskwright.nets.encoder import Linear, NetConfig
from maskwright.nets.heads.pixels import WIDEST, Chain, Levels, sharpest
from maskwright.nets.positions import Grid
from maskwright.tokens import HeadContext

LOG_SCALE = -2.3
"""The log scale of every value's logistic before calibration, where levels lie from -1 to 1."""
SHARE, LEAST = 0.75, 0.02
"""The root mean square error that is expected where patches are normalised by themselves: of any patch, as a share of its
deviation; and of a flat one, in deviations of its channel."""


class Colours(nn.Module):
    """Levels 0 to L - 1 to normalised ones, and back to -1 to 1."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Sequence[float], deviation: Sequence[float], levels: int, pixels: int) -> None:
        super().__init__()
        self.levels = levels
        self.register_buffer("mean", torch.tensor(mean).repeat(pixels), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation).repeat(pixels), persistent=False)

    def normalised(self, level: Tensor) -> Tensor:
        return (level.float() / (self.levels - 1) - self.mean) / self.deviation

    def placed(self, normalised: Tensor) -> Tensor:
        return 2 * (normalised * self.deviation + self.mean) - 1


class VitInput(nn.Module):
    """A linear map of a patch, or the frame's vector, and the vector of its place."""

    def __init__(self, patch: int, channels: int, colours: Colours, config: NetConfig) -> None:
        super().__init__()
        self.colours = colours
        self.projection = nn.Conv2d(channels, config.width, patch, stride=patch)
        nn.init.xavier_uniform_(self.projection.weight.view(config.width, -1))
        self.frame = nn.Parameter(torch.randn(1, 1, config.width) * 0.02)
        self.places = Grid(config.grid, config.width)

    def forward(
        self, values: dict[str, Tensor], kind: Tensor, positions: Tensor, shown: Tensor, dtype: torch.dtype
    ) -> Tensor:
        weight = self.projection.weight.permute(0, 2, 3, 1).flatten(1)  # as products of whole patches, channels last
        known = values["known"].repeat_interleave(self.projection.in_channels, dim=1)
        x = F.linear((self.colours.normalised(values["pixels"]) * known).to(dtype), weight.to(dtype))
        bias = self.projection.bias
        assert bias is not None
        patch = (x.float() + bias) * shown[:, None]
        return (torch.where(kind[:, None] == 0, patch, self.frame[0]) + self.places(positions, kind)).to(dtype)


class SquaredHead(nn.Module):
    """Pixels as they are; with `norm_pix` (section 4.1, "Reconstruction target") as they look once a patch is normalised by
    its own mean and deviation, of which nothing is told: those of a hidden one are guessed from what is shown around it."""

    listable = (False, False)
    """For each kind of value, whether the values that may stand there can be listed: patches can't, nor can the frame, which
    is never asked for."""

    def __init__(self, channels: int, colours: Colours, values: int, norm_pix: bool, config: NetConfig) -> None:
        super().__init__()
        self.channels, self.colours, self.norm_pix = channels, colours, norm_pix
        self.out = Linear(config.width, values, bias=True)

    def forward(self, states: Tensor, kind: Tensor, scene: HeadContext) -> Squared:
        predicted = self.out(states.float())
        if not self.norm_pix:
            return Squared(predicted, self.colours, self.channels)
        return Squared(predicted, self.colours, self.channels, self._around(scene))

    @torch.no_grad()
    def _around(self, scene: HeadContext) -> Around:
        """Of every patch that is asked, means of what is shown in its picture, by distance to the power -4 (Shepard, 1968);
        where nothing is shown, those of all pictures."""
        asked, shown = scene.targets, scene.shown
        device = self.colours.mean.device
        pixels, known = (torch.from_numpy(shown.values[name]).to(device) for name in ("pixels", "known"))
        own = moments(self.colours.normalised(pixels), known.repeat_interleave(self.channels, dim=1))
        out = Around(*(torch.full((len(asked), 1), value, device=device) for value in (0.0, 1.0, 1.0)))
        for (a, b), (c, d) in zip(pairwise(asked.cu_seqlens), pairwise(shown.cu_seqlens), strict=True):
            if a < b and c < d:
                apart = asked.positions[a:b, None] - shown.positions[None, c:d]
                near = 1.0 / np.square(apart, dtype=np.float32).sum(-1).clip(min=1) ** 2
                weight = torch.from_numpy(near / near.sum(1, keepdims=True)).to(device)
                out.mean[a:b], out.deviation[a:b] = weight @ own.mean[c:d], weight @ own.deviation[c:d]
                out.doubt[a:b] = (weight @ own.mean[c:d] ** 2 - out.mean[a:b] ** 2).clamp(min=0).sqrt()
        return out

    def begin(self, mean: Tensor, log_scale: Tensor) -> None:
        """Every value at its channel's mean, or every patch at what is shown around it."""
        if self.norm_pix:
            self.out.bias.zero_()
        else:
            self.out.bias.copy_(((mean + 1) / 2 - self.colours.mean) / self.colours.deviation)


class Moments(NamedTuple):
    """(M, 1) each, of patches of normalised pixels."""

    mean: Tensor
    deviation: Tensor


def moments(pixels: Tensor, known: Tensor) -> Moments:
    """Over what is known of (M, D) pixels; the variance is unbiased and at least a millionth, as in the reference."""
    count = known.sum(1, keepdim=True)
    mean = (pixels * known).sum(1, keepdim=True) / count.clamp(min=1)
    variance = (((pixels - mean) * known) ** 2).sum(1, keepdim=True) / (count - 1).clamp(min=1)
    return Moments(mean, (variance + 1e-6).sqrt())


class Around(NamedTuple):
    """(M, 1) each: what patches that aren't seen are taken to have."""

    mean: Tensor
    deviation: Tensor
    doubt: Tensor
    """The standard deviation of the means of the patches that are seen around each."""


class Squared(Levels):
    """Logistics about the predicted values, whose loss is the squared error: of one width, or, where patches are normalised
    (`around`: by what, as far as can be told), as wide as what was guessed may be off."""

    def __init__(self, predicted: Tensor, colours: Colours, channels: int, around: Around | None = None) -> None:
        if around is None:
            mean = colours.placed(predicted)
            scale = torch.full_like(mean, LOG_SCALE)
        else:
            mean = colours.placed(predicted * around.deviation + around.mean)
            off = ((SHARE * around.deviation) ** 2 + around.doubt**2 + LEAST**2).sqrt()
            scale = (math.sqrt(3) / math.pi * 2 * colours.deviation * off).log().clamp(sharpest(colours.levels), WIDEST)
        none = predicted.new_zeros(1, 1).expand(predicted.shape[1], predicted.shape[1])
        super().__init__(mean, scale, scale, Chain(none, none), colours.levels, channels)
        self.predicted, self.colours, self.norm_pix = predicted, colours, around is not None

    def loss(self, values: dict[str, Any]) -> tuple[Tensor, Tensor]:
        _, known = self._read(values)
        truth = self.colours.normalised(torch.as_tensor(values["pixels"]).to(self.predicted.device))
        if self.norm_pix:
            own = moments(truth, known)
            truth = (truth - own.mean) / own.deviation
        squares = (known * (self.predicted - truth) ** 2).sum(1) / known.sum(1).clamp(min=1)
        return squares, torch.zeros_like(squares)
