"""How fast is pretraining beside transformers' ViTMAEForPreTraining of the same shape?

    python benchmarks/image_speed.py --images DIR --work DIR [--rounds 3] [--steps 40]

Width 192, 12 layers, decoder 96 wide and 4 layers deep, patches of 8 x 8 in 96 x 96 pixels, 75% hidden; 64 pictures a step,
all threads. Theirs with its batches made beforehand, in fp32 and under bf16 autocast, fused AdamW; ours is the whole `train`
(reading, masking, Muon), the second half of its steps. Pictures a second, medians of interleaved rounds.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import ViTMAEConfig, ViTMAEForPreTraining

import maskwright as mw
from corpora import report
from images import opened, parser, table

SIDE, PATCH, BATCH = 96, 8, 64
TOKENS = (SIDE // PATCH) ** 2 + 1


def theirs(pictures: list[np.ndarray[Any, Any]], steps: int, half: bool) -> float:
    torch.manual_seed(0)
    config = ViTMAEConfig(
        hidden_size=192, num_hidden_layers=12, num_attention_heads=3, intermediate_size=768, image_size=SIDE,
        patch_size=PATCH, decoder_hidden_size=96, decoder_num_hidden_layers=4, decoder_num_attention_heads=3,
        decoder_intermediate_size=384,
    )  # fmt: skip
    model = ViTMAEForPreTraining(config).train()
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3, fused=True)
    values = torch.from_numpy(np.stack(pictures[: 4 * BATCH])).permute(0, 3, 1, 2).float() / 127.5 - 1
    begun = 0.0
    for step in range(steps):
        if step == steps // 2:
            begun = time.perf_counter()
        part = values[step % 4 * BATCH :][:BATCH]
        with torch.autocast("cpu", torch.bfloat16) if half else nullcontext():
            loss = model(part).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return BATCH * (steps - steps // 2) / (time.perf_counter() - begun)


def ours(data: Path, steps: int, dtype: str) -> float:
    settings = [
        "image.family=vit_mae", f"image.side={SIDE}", "net.width=192", "net.layers=12", "net.heads=3", "net.ff=768",
        "net.decoder_width=96", "net.decoder_layers=4", "net.decoder_heads=3", "net.decoder_ff=384", f"train.dtype={dtype}",
        f"train.batch_tokens={BATCH * TOKENS}", "train.look_every=100000", "train.look_tokens=1000", "calibration.slots=4",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        mw.train(data, out=Path(folder) / "m", steps=steps, settings=settings)
        lines = [json.loads(line) for line in (Path(folder) / "m" / "metrics.jsonl").read_text().splitlines()]
    middle, end = min(lines[:-1], key=lambda line: abs(line["step"] - steps / 2)), lines[-1]
    return float((end["tokens"] - middle["tokens"]) / TOKENS / (end["t"] - middle["t"]))


def main() -> None:
    asked = parser(__doc__ or "")
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--steps", type=int, default=40)
    options = asked.parse_args()
    pictures = [np.asarray(opened(p).convert("RGB")) for p in table(options, "sign_digits")["image"]]
    data = options.images / "sign_digits.parquet"
    found: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        for half, dtype in ((False, "float32"), (True, "bfloat16")):
            found.setdefault(f"theirs, {dtype}", []).append(theirs(pictures, options.steps, half))
            found.setdefault(f"ours, {dtype}", []).append(ours(data, options.steps, dtype))
    speed = {way: statistics.median(values) for way, values in found.items()}
    best = max(value for way, value in speed.items() if way.startswith("theirs"))
    report("pretraining beside transformers' ViTMAEForPreTraining", [{
        "pictures_per_s": {way: [round(v, 1) for v in values] for way, values in found.items()},
        "ratio_to_its_better": {way: round(v / best, 3) for way, v in speed.items() if way.startswith("ours")},
    }])  # fmt: skip


if __name__ == "__main__":
    main()
