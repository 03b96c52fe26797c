"""Input and head of ViT-MAE (He et al., 2022, section 3): a linear map of a patch, and the mean square error of its pixels.

In: levels (T, D) of D pixel values a patch, row by row, channels last. Out: vectors; and a `Levels` whose loss is theirs:
the squared error, in pixels that are normalised by a mean and a deviation a channel. That is the likelihood of one width
for all values: scores and bits have that one width, whatever is hidden, and only fills have the width that calibration
finds. Parameters have the shapes that ViT gives them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maskwright.nets.encoder import Linear, NetConfig
from maskwright.nets.pixels import Chain, Levels
from maskwright.nets.positions import Grid

LOG_SCALE = -2.3
"""of every value, where levels lie from -1 to 1, before calibration"""


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
    def __init__(self, channels: int, colours: Colours, values: int, config: NetConfig) -> None:
        super().__init__()
        self.channels, self.colours = channels, colours
        self.out = Linear(config.width, values, bias=True)

    def forward(self, states: Tensor, kind: Tensor) -> Squared:
        return Squared(self.out(states.float()), self.colours, self.channels)

    def begin(self, mean: Tensor, log_scale: Tensor) -> None:
        """Every value at its channel's mean."""
        self.out.bias.copy_(((mean + 1) / 2 - self.colours.mean) / self.colours.deviation)


class Squared(Levels):
    """Logistics of one width about the predicted values, whose loss is the squared error."""

    def __init__(self, predicted: Tensor, colours: Colours, channels: int) -> None:
        mean = colours.placed(predicted)
        scale = torch.full_like(mean, LOG_SCALE)
        none = predicted.new_zeros(predicted.shape[1], predicted.shape[1])
        super().__init__(mean, scale, scale, Chain(none, none), colours.levels, channels)
        self.predicted, self.colours = predicted, colours

    def loss(self, values: dict[str, Any]) -> Tensor:
        truth = torch.as_tensor(values["pixels"]).to(self.predicted.device)
        _, known = self._read(values)
        return (known * (self.predicted - self.colours.normalised(truth)) ** 2).sum(1) / known.sum(1).clamp(min=1)
