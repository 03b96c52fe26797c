"""How long until held-out text is predicted as well as by the expert's model after 10 minutes?

    python benchmarks/time_to_expert.py --data DIR --work DIR --expert SCRIPT [--corpora sgd_turns,code_python]

Same tokeniser (the opponent's), shape (width 256, 6 layers), training records, held-out positions. The opponent trains
for 600 seconds of steps at each of three learning rates, and its best counts. Ours is the whole command, from its start to
the finished folder, at a fifth and at half of that time.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import maskwright as mw
from corpora import Corpus, corpora, parser, report
from opponent import SHAPE, arguments, held_out_bits, run, settings

RATES, SECONDS, LENGTH = ("1e-3", "2e-3", "4e-3"), 600, 512
BUDGETS = ("2m", "5m")


def expert(options: Any, corpus: Corpus) -> dict[str, float]:
    """Bits a byte by learning rate; kept in WORK, since it takes half an hour."""
    kept = options.work / f"{corpus.name}.expert.json"
    found: dict[str, float] = json.loads(kept.read_text()) if kept.exists() else {}
    for lr in RATES:
        if lr not in found:
            lines = run(
                options, corpus.train, SHAPE, mode="expert", lr=lr, seconds=SECONDS, evals=5, length=LENGTH,
                held_out=corpus.test, tokenizer=tokenizer(options, corpus),
            )  # fmt: skip
            found[lr] = lines[-1]["bpb"]
            kept.write_text(json.dumps(found))
    return found


def tokenizer(options: Any, corpus: Corpus) -> Path:
    return Path(options.work / f"{corpus.name}.tokenizer.json")


def ours(options: Any, corpus: Corpus, budget: str) -> tuple[float, float]:
    out = options.work / f"{corpus.name}-same-shape-{budget}"
    took = out.with_suffix(".seconds")
    if not took.exists():
        begun = time.monotonic()
        command = [sys.executable, "-m", "maskwright", "train", corpus.train, "--out", out, "--field", "text", "--group",
                   corpus.group, "--budget", budget, "--tokenizer", tokenizer(options, corpus), *settings(SHAPE),
                   "--set", f"net.length={LENGTH}"]  # fmt: skip
        subprocess.run(command, check=True)
        took.write_text(str(time.monotonic() - begun))
    return held_out_bits(mw.load(out), tokenizer(options, corpus), corpus.test, LENGTH), float(took.read_text())


def main() -> None:
    asked = parser(__doc__ or "", ["sgd_turns", "code_python"])
    arguments(asked)
    options = asked.parse_args()
    rows = []
    for corpus in corpora(options):
        theirs = expert(options, corpus)
        row: dict[str, Any] = {"corpus": corpus.name, "expert": theirs, "expert_best": min(theirs.values())}
        for budget in BUDGETS:
            bits, seconds = ours(options, corpus, budget)
            row[budget] = {"bits_per_byte": round(bits, 4), "seconds": round(seconds, 1)}
        rows.append(row)
    report("held-out bits a byte in a fifth and in half of the time of transformers' ModernBERT in an expert's hands", rows)


if __name__ == "__main__":
    main()
