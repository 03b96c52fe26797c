"""What share of a GPU's bf16 matrix rate does training reach, in the shape of ModernBERT-base, on documents of mixed length?

    python benchmarks/gpu_speed.py --data DIR --work DIR [--rounds 3]

The whole command's steps (data prepared on the side, Muon, looks left out), in bf16, documents of up to 8,192 tokens without
padding. Real tokens a second over the second half of the steps; useful matrix FLOPs and the best rate as in `train_speed`.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import torch

import maskwright as mw
from corpora import parser, part, report
from maskwright.system.device import matrix_rate
from train_speed import pairs, second_half, useful

SHAPE = {"width": 768, "layers": 22, "heads": 12, "ff": 1152, "window": 128, "global_every": 3, "length": 8192}
BATCH, STEPS, VOCABULARY, MASKED = 131_072, 60, 50_368, 0.3


def one(data: Path) -> dict[str, Any]:
    told = [f"net.{key}={value}" for key, value in SHAPE.items()]
    told += [f"train.batch_tokens={BATCH}", f"tokenizer.size={VOCABULARY}", "mask.schedule=fixed", f"mask.rate={MASKED}"]
    told += ["calibration.slots=4", "train.look_every=100000", "train.look_tokens=1000"]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "m"
        mw.train(data, out=out, field="text", steps=STEPS, settings=told, device="cuda")
        lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        net = mw.load(out, device="cpu").net
        row = {"data": str(data), "tokenizer": str(out / "tokenizer.json")}
        speed, flops = second_half(lines, "step"), useful(net.config, len(net.head.bias), pairs(row, net.config))
    rate = matrix_rate(torch.bfloat16, torch.device("cuda", 0))
    return {"speed": speed, "share": speed * flops / rate, "tflops": rate / 1e12, "vocabulary": len(net.head.bias)}


def main() -> None:
    asked = parser(__doc__ or "", ["peps_en"])
    asked.add_argument("--rounds", type=int, default=3)
    options = asked.parse_args()
    rows = []
    for name in options.corpora.split(","):
        corpus = part(options.data, options.work, name, options.budget)
        found = [one(corpus.train) for _ in range(options.rounds)]
        rows.append({
            "corpus": name, "shape": SHAPE, "vocabulary": found[0]["vocabulary"], "batch": BATCH,
            "device": torch.cuda.get_device_name(0),
            "tokens_per_s": [round(f["speed"]) for f in found],
            "matrix_tflops": round(statistics.median(f["tflops"] for f in found), 1),
            "share_of_matrix_rate": round(statistics.median(f["share"] for f in found), 3),
        })  # fmt: skip
    report("training on a GPU, beside its bf16 matrix rate", rows)


if __name__ == "__main__":
    main()
