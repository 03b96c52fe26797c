"""How fast is training beside transformers' ModernBERT, as its users run it and as an expert does?

    python benchmarks/train_speed.py --data DIR --work DIR --expert SCRIPT [--rows turns,avx2,peps512,peps2048] [--rounds 3]

Real tokens a second over the second half of the steps, medians of interleaved rounds; same tokeniser, shape and threads, 30%
of tokens masked (15% in the opponent's default way). `avx2` holds both sides to that instruction set. Share: useful matrix
FLOPs (6 x matrix parameters x tokens, attention inside records and windows, the decoder at targets only) over the best bf16
matrix rate of the machine, measured in the process that trained.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

import maskwright as mw
from corpora import parser, part, report
from maskwright.modalities.text.bpe import Vocabulary
from maskwright.nets.encoder import NetConfig
from maskwright.system.device import matrix_rate
from opponent import BIG, SHAPE, arguments, run, settings

AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
ROWS: dict[str, dict[str, Any]] = {
    "turns": {"corpus": "sgd_turns", "shape": SHAPE, "length": 512, "batch": 4096, "steps": 60, "seconds": 40},
    "avx2": {"corpus": "sgd_turns", "shape": SHAPE, "length": 512, "batch": 4096, "steps": 40, "seconds": 40, "env": AVX2},
    "peps512": {"corpus": "peps_en", "shape": BIG, "length": 512, "batch": 16384, "steps": 4, "seconds": 60},
    "peps2048": {"corpus": "peps_en", "shape": BIG, "length": 2048, "batch": 16384, "steps": 4, "seconds": 130},
}
MASKED = 0.3


def second_half(lines: list[dict[str, Any]], key: str) -> float:
    """Tokens a second between the middle of the run and its end."""
    end = lines[-1]
    middle = min(lines[:-1], key=lambda line: abs(line[key] - end[key] / 2))
    return float((end["tokens"] - middle["tokens"]) / (end["t"] - middle["t"]))


def theirs(options: Any, row: dict[str, Any], data: Path, tokenizer: Path, mode: str) -> float:
    held = {"precision": "fp32"} if row.get("env") and mode == "expert" else {}
    lines = run(
        options, data, row["shape"], row.get("env"), mode=mode, seconds=row["seconds"], evals=2, length=row["length"],
        tokenizer=tokenizer, **held, max_records=None if mode == "default" or row["shape"] is SHAPE else 200,
    )  # fmt: skip
    return second_half([line for line in lines if "t" in line], "t")


def ours(row: dict[str, Any], data: Path, tokenizer: Path) -> dict[str, float]:
    """In a process of its own, with the row's environment."""
    told = json.dumps({k: v for k, v in row.items() if k != "env"} | {"data": str(data), "tokenizer": str(tokenizer)})
    out = subprocess.run(
        [sys.executable, __file__, "--one", told],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | row.get("env", {}),
    )
    found: dict[str, float] = json.loads(out.stdout.splitlines()[-1])
    return found


def one(row: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "m"
        told = settings(row["shape"])[1::2]
        told += [f"net.length={row['length']}", f"train.batch_tokens={row['batch']}"]
        told += ["mask.schedule=fixed", f"mask.rate={MASKED}"]
        told += ["calibration.slots=4", "train.look_every=100000", "train.look_tokens=1000"]
        mw.train(row["data"], out=out, field="text", steps=row["steps"], tokenizer=row["tokenizer"], settings=told)
        lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        speed = second_half(lines, "step")
        net = mw.load(out).net
    best = max(matrix_rate(kind, torch.device("cpu")) for kind in (torch.bfloat16, torch.float32))
    share = speed * useful(net.config, len(net.head.bias), pairs(row, net.config)) / best
    print(json.dumps({"speed": speed, "share": share, "rate": best}))


def pairs(row: dict[str, Any], net: NetConfig) -> tuple[float, float]:
    """Keys that a token reads in a global and in a local layer, on average."""
    import pyarrow.parquet as pq

    texts = pq.read_table(row["data"])["text"].to_pylist()[:2000]
    whole = np.array([len(ids) for ids in Vocabulary.load(Path(row["tokenizer"])).ids(texts)])
    cut = np.concatenate([np.full((whole // net.length).sum(), net.length), whole % net.length])
    half = net.window // 2
    near = np.array([np.minimum(np.arange(n), half).sum() + np.minimum(np.arange(n)[::-1], half).sum() + n for n in cut])
    return float((cut.astype(float) ** 2).sum() / cut.sum()), float(near.sum() / cut.sum())


def useful(net: NetConfig, vocabulary: int, keys: tuple[float, float]) -> float:
    """FLOPs a token, forward and backward."""
    layers = net.layers * (4 * net.width**2 + 3 * net.width * net.ff) + MASKED * (net.width**2 + vocabulary * net.width)
    whole = -(-net.layers // net.global_every)
    return 6 * layers + 12 * net.width * (whole * keys[0] + (net.layers - whole) * keys[1])


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        return one(json.loads(sys.argv[2]))
    asked = parser(__doc__ or "", ["sgd_turns"])
    arguments(asked)
    asked.add_argument("--rows", default=",".join(ROWS))
    asked.add_argument("--rounds", type=int, default=3)
    options = asked.parse_args()
    rows = []
    for name in options.rows.split(","):
        row = ROWS[name]
        corpus = part(options.data, options.work, row["corpus"], options.budget)
        tokenizer = options.work / f"{corpus.name}.tokenizer.json"
        found: dict[str, list[Any]] = {"ours": [], "expert": [], "default": []}
        for _ in range(options.rounds):
            found["expert"].append(theirs(options, row, corpus.train, tokenizer, "expert"))
            found["ours"].append(ours(row, corpus.train, tokenizer))
            if row["shape"] is SHAPE and not row.get("env"):
                found["default"].append(theirs(options, row, corpus.train, tokenizer, "default"))
        speeds = {"ours": [o["speed"] for o in found["ours"]], "expert": found["expert"], "default": found["default"]}
        medians = {side: statistics.median(values) for side, values in speeds.items() if values}
        rows.append({
            "row": name, **{k: row[k] for k in ("corpus", "length", "batch")}, "shape": row["shape"],
            "tokens_per_s": {side: [round(v, 1) for v in values] for side, values in speeds.items()},
            "ratio": {side: round(medians["ours"] / value, 3) for side, value in medians.items() if side != "ours"},
            "share_of_matrix_rate": round(statistics.median(o["share"] for o in found["ours"]), 3),
            "matrix_tflops": round(statistics.median(o["rate"] for o in found["ours"]) / 1e12, 3),
        })  # fmt: skip
    report("training speed beside transformers' ModernBERT", rows)


if __name__ == "__main__":
    main()
