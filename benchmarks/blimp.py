"""Which of two sentences is grammatical? BLiMP (Warstadt et al., 2020), after a budget of half an hour.

    python benchmarks/blimp.py --data DIR --work DIR --pairs blimp.parquet --expert SCRIPT [--budget 30m]

Both sides train on the same four corpora, ours for the budget in all, the opponent for as many seconds of steps (at the
learning rate that was its best in `time_to_expert`), each with a tokeniser of its own. A pair is right where the good
sentence has the lower pseudo-log-likelihood (one token at a time, a word's later tokens hidden with it), in fp32; a tie
counts half. Both are scored by the same code.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import maskwright as mw
from corpora import parser, report
from maskwright.runs import sizing
from opponent import SHAPE, arguments, run

CORPORA, RATE = ("peps_en", "sgd_dialogues", "sotu_en", "wikitext2"), "2e-3"


def merged(data: Path, work: Path) -> Path:
    path = work / "four.parquet"
    if not path.exists():
        texts = [text for name in CORPORA for text in pq.read_table(data / f"{name}.parquet")["text"].to_pylist()]
        pq.write_table(pa.table({"text": texts}), path)
    return path


def right(model: mw.Model, pairs: Any) -> dict[str, float]:
    """Share of pairs by paradigm."""
    totals = [
        np.array([s.total for s in model.score(pairs[f"sentence_{kind}"].to_pylist(), passes="all")])
        for kind in ("good", "bad")
    ]
    points = np.where(totals[0] < totals[1], 1.0, np.where(totals[0] == totals[1], 0.5, 0.0))
    names = np.array(pairs["UID"].to_pylist())
    return {name: float(points[names == name].mean()) for name in sorted(set(names))}


def main() -> None:
    asked = parser(__doc__ or "", [])
    arguments(asked)
    asked.add_argument("--pairs", type=Path, required=True)
    asked.set_defaults(budget="30m")
    options = asked.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    data, pairs = merged(options.data, options.work), pq.read_table(options.pairs)
    ours, other = (options.work / f"four-{side}-{options.budget}" for side in ("ours", "expert"))
    if not (ours / "maskwright.json").exists():
        command = [
            sys.executable,
            "-m",
            "maskwright",
            "train",
            data,
            "--out",
            ours,
            "--field",
            "text",
            "--budget",
            options.budget,
        ]
        subprocess.run(command, check=True)
    if not other.exists():
        seconds = sizing.seconds(options.budget)
        run(options, data, SHAPE, mode="expert", lr=RATE, seconds=seconds, evals=2, save=other,
            tokenizer=options.work / "four.tokenizer.json")  # fmt: skip
    rows = []
    for side, path in (("ours", ours), ("expert", other)):
        found = right(mw.load(path), pairs)
        rows.append({"side": side, "right": round(float(np.mean(list(found.values()))), 4), "paradigms": found})
    rows.append({"points": round(100 * (rows[0]["right"] - rows[1]["right"]), 2), "pairs": len(pairs)})
    report("BLiMP beside transformers' ModernBERT in an expert's hands, at equal time", rows)


if __name__ == "__main__":
    main()
