"""A small random net and records for it."""

from __future__ import annotations

import numpy as np
import torch

from maskwright.nets.encoder import NetConfig
from maskwright.nets.heads.token import TokenHead, TokenInput
from maskwright.nets.masked import MaskedNet
from maskwright.tokens import Batch, Tokens, collate

SMALL = NetConfig(width=32, layers=4, heads=2, ff=48, window=16, length=128)


def net(dtype: torch.dtype = torch.float32, config: NetConfig = SMALL) -> MaskedNet:
    torch.manual_seed(0)
    inputs = TokenInput(96, config, 3)
    out = MaskedNet(config, inputs, TokenHead(inputs, config))
    out.dtype = dtype
    return out.eval()


def record(n: int, seed: int) -> Tokens:
    rng = np.random.default_rng(seed)
    return Tokens(
        values={"id": rng.integers(5, 96, n)}, positions=np.arange(n)[:, None], kind=np.zeros(n, dtype=np.int64),
        present=np.ones(n, dtype=bool), maskable=np.ones(n, dtype=bool), unit=np.arange(n),
        where=np.zeros((n, 2), dtype=np.int64),
    )  # fmt: skip


def batch(*records: Tokens) -> Batch:
    return collate(records, range(len(records)))
