"""The opponent: a script that trains transformers' ModernBERT for so many seconds, and prints a JSON object a line.

`--expert SCRIPT` names it and `--python` the interpreter of its own environment. It is told DATA --field --held-out --mode
default|expert --lr --seconds --evals --tokenizer and the shape, and says {"t", "tokens", "bpb"} as it goes. Its held-out
figure is taken at positions that `held_out_bits` finds again: 15% of the tokens of each record, cut at `length`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from tokenizers import Tokenizer

import maskwright as mw
from maskwright.system.device import fast_dtype

CLS, SEP, MASK, SPECIAL, HELD_OUT_TOKENS = 1, 2, 3, 5, 60_000
SHAPE = {"width": 256, "layers": 6, "heads": 4, "ff": 384}
BIG = {"width": 768, "layers": 12, "heads": 12, "ff": 1152}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--expert", type=Path, required=True, help="the opponent's script")
    parser.add_argument("--python", default=sys.executable, help="the interpreter of its environment")


def run(
    options: argparse.Namespace, data: Path, shape: dict[str, int], env: dict[str, str] | None = None, **more: Any
) -> list[dict[str, Any]]:
    """The lines that the opponent printed, as dicts; its expert works in the precision that this chip multiplies faster."""
    slow = fast_dtype(torch.device("cpu")) == torch.float32
    told = {**shape, "precision": "fp32" if slow and more.get("mode") == "expert" else None, **more}
    flags = [word for key, value in told.items() if value is not None for word in (f"--{key.replace('_', '-')}", str(value))]
    command = [options.python, str(options.expert), str(data), "--field", "text", *flags]
    out = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | (env or {}))
    return [json.loads(line) for line in out.stdout.splitlines() if line.startswith("{")]


def settings(shape: dict[str, int]) -> list[str]:
    """The same shape, for `maskwright train`."""
    return [word for key, value in shape.items() for word in ("--set", f"net.{key}={value}")]


@torch.no_grad()
def held_out_bits(model: mw.Model, tokenizer: Path, held_out: Path, length: int) -> float:
    """Bits a byte of a model of ours at the opponent's held-out positions, in the precision that it is asked in."""
    tokeniser = Tokenizer.from_file(str(tokenizer))
    texts = [t for t in pq.read_table(held_out)["text"].to_pylist() if t and t.strip()]
    ids = [e.ids for e in tokeniser.encode_batch(texts, add_special_tokens=False)]
    tokens_a_byte = sum(map(len, ids)) / sum(len(t.encode()) for t in texts)
    kept, total = [], 0
    for row in ids:
        kept.append(row)
        total += len(row)
        if total > HELD_OUT_TOKENS:
            break
    rows = sorted((np.array([CLS, *row[: length - 2], SEP]) for row in kept), key=len)
    rng, nats, count = np.random.default_rng(1234), 0.0, 0
    for i in range(0, len(rows), 32):
        batch = rows[i : i + 32]
        width = max(map(len, batch))
        padded = np.zeros((len(batch), width), dtype=np.int64)
        for j, row in enumerate(batch):
            padded[j, : len(row)] = row
        picked = (rng.random(padded.shape) < 0.15) & (padded >= SPECIAL)
        for row, chosen in zip(batch, picked, strict=True):
            own = chosen[: len(row)]
            if own.any():
                nats += _nats(model, row, own)
                count += int(own.sum())
    return nats / count / math.log(2) * tokens_a_byte


def _nats(model: mw.Model, row: np.ndarray[Any, Any], hidden: np.ndarray[Any, Any]) -> float:
    size = np.array([[len(row) - 2]])
    batch = model.modality.frame(model.modality.unpack({"id": row[1:-1]}, size, np.zeros(1, dtype=np.uint64)))
    at = np.flatnonzero(hidden)
    return float(model.net(batch, hidden, at).nll({"id": row[at]}).sum())
