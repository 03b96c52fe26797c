"""What a net costs: time a token, memory, disk. Counted from its parameters, and from one step that was timed.

In: the shape of a net, which is built on no device, the batch, the lengths of records. Out: seconds and bytes. A step is
matrix products near the chip's rate, attention at half of it, the optimiser's own products once a step, and passes over
memory; the time that one real step takes beyond the first three tells how fast the last are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from maskwright.modalities.base import Modality
from maskwright.model import folder
from maskwright.nets.encoder import NetConfig
from maskwright.tokens import Array
from maskwright.training.optimiser import POLYNOMIALS

PRODUCTS, ATTENTION = 0.9, 0.45
"""Share of the device's matrix rate that matrix products reach, and that attention reaches (LOG.md#native-kernels)."""
PROCESS = 400e6
"""Bytes of memory of a process that has loaded torch."""


class _Unset(TorchFunctionMode):
    """Within it nothing is written into a tensor. A net that is built on no device has no values to set, and torch loads
    its compiler, a second's work, to set none."""

    def __torch_function__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if given.get("out") is not None:
            return given["out"]
        in_place = call.__name__.endswith("_") and not call.__name__.endswith("__")
        return next(iter([*args, *given.values()])) if in_place else call(*args, **given)


@dataclass(frozen=True)
class Work:
    """A net's training step, as sizes."""

    net: NetConfig
    batch_tokens: int
    keys: float
    """Number of tokens that a token attends to in a layer, on average."""
    sides: tuple[int, ...]
    """Number of parameters in the matrices of the encoder, and in those of the decoder where there is one."""
    around: int
    """Number of parameters outside the matrices of encoder and decoder: those of input and head."""
    turning: float
    """FLOPs of the optimiser's iteration in one step."""
    hidden: float
    """Share of the tokens that is hidden, at which the head works."""

    @classmethod
    def of(cls, modality: Modality, net: NetConfig, batch_tokens: int, lengths: Array) -> Work:
        """For training records of so many tokens each."""
        with torch.device("meta"), _Unset():
            made = folder.build(modality, net)
        parts = [made.encoder, *([made.decoder] if made.decoder else [])]
        inner = [[p.shape for p in part.parameters() if p.dim() == 2] for part in parts]
        turning = sum(len(POLYNOMIALS) * (4 * min(s) ** 2 * max(s) + 2 * min(s) ** 3) for part in inner for s in part)
        matrices = [sum(s.numel() for s in part) for part in inner]
        around = sum(p.numel() for p in made.parameters()) - sum(matrices)
        keys, hidden = _keys(net, lengths + modality.frame_size), modality.mask.mean
        return cls(net, batch_tokens, keys, tuple(matrices), around, turning, hidden)

    @property
    def matrices(self) -> int:
        return sum(self.sides)

    @property
    def parameters(self) -> int:
        return self.matrices + self.around

    @property
    def _stacks(self) -> list[tuple[NetConfig, float]]:
        """Layers of one shape, and the share of the tokens that goes through them."""
        decoder = self.net.decoder
        return [(self.net, 1 - self.hidden), (decoder, 1.0)] if decoder else [(self.net, 1.0)]

    @property
    def flops(self) -> float:
        """Matrix products of a token, forward and backward."""
        inner = sum(share * size for (_, share), size in zip(self._stacks, self.sides, strict=True))
        return 6 * (inner + self.hidden * self.around)

    @property
    def attention(self) -> float:
        """FLOPs of a token's attention."""
        return sum(12 * net.width * net.layers * self.keys * share**2 for net, share in self._stacks)

    @property
    def passes(self) -> float:
        """Values of a token that go through memory, in some unit."""
        return sum(net.layers * net.width * share for net, share in self._stacks)

    def memory(self, bytes_a_value: int) -> float:
        """Bytes of a run in memory: weights, gradients, optimiser; what a step keeps for the way back; torch itself."""
        states = 4 * (3 * self.matrices + 4 * self.around) + bytes_a_value * self.parameters
        kept = sum(share * net.layers * (9 * net.width + 3 * net.ff) for net, share in self._stacks)
        kept += self.hidden * self.around / self.net.width
        return PROCESS + states + self.batch_tokens * kept * bytes_a_value

    def disk(self) -> float:
        """Bytes at the most: two checkpoints and a third being written, and the model."""
        return 3 * 4 * (2 * self.matrices + 3 * self.around) + 4 * self.parameters


@dataclass(frozen=True)
class Speed:
    """Of a machine."""

    matrix_rate: float
    """Speed of matrix products, in FLOP/s."""
    pass_: float
    """Seconds that a unit of `Work.passes` takes."""

    @classmethod
    def of(cls, seconds: float, work: Work, matrix_rate: float) -> Speed:
        """From the seconds a token that a step of this work took. A chip that did it sooner than its rate allows was busy
        when that was measured: it is at least as fast as the step."""
        least = cls(matrix_rate, 0.0).seconds(work)
        return cls(matrix_rate * max(least / seconds, 1.0), max(seconds - least, 0.0) / work.passes)

    def seconds(self, work: Work) -> float:
        """A token."""
        products = work.flops / PRODUCTS + work.attention / ATTENTION + work.turning / PRODUCTS / work.batch_tokens
        return products / self.matrix_rate + work.passes * self.pass_


def _keys(net: NetConfig, lengths: Array) -> float:
    """That a token reads in a layer, on average: all of its piece, or its window."""
    pieces = np.concatenate([np.full(int((lengths // net.length).sum()), net.length), lengths % net.length]).astype(float)
    all_ = (pieces**2).sum() / max(pieces.sum(), 1)
    near = (pieces * np.minimum(pieces, net.window)).sum() / max(pieces.sum(), 1)
    whole = -(-net.layers // net.global_every)
    return float((whole * all_ + (net.layers - whole) * near) / net.layers)
