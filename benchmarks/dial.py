"""Is the size that `--budget` picks the best of a small sweep?

    python benchmarks/dial.py --data DIR --work DIR [--corpora gesetze_de,code_python,sgd_turns] [--budgets 2m,10m]

For each corpus and budget: the whole command left alone, and the same with each of the sizes below set by hand, for as much
wall time. Held-out bits a byte, and how far the choice is from the best of them; beside it what `maskwright plan` had
expected of the choice. Models of `held_out.py` serve where they are there already.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from corpora import Corpus, model, parser, part, report
from maskwright import plan

SIZES = ((128, 4), (192, 4), (256, 6), (384, 8))


def expected(corpus: Corpus) -> dict[str, Any]:
    """What `plan` says of this budget."""
    command = [sys.executable, "-m", "maskwright", "plan", corpus.train, "--field", "text", "--json"]
    command += ["--budget", corpus.budget]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return next(row for row in map(json.loads, lines) if row["seconds"] == plan.seconds(corpus.budget))


def main() -> None:
    asked = parser(__doc__ or "", ["gesetze_de", "code_python", "sgd_turns"])
    asked.add_argument("--budgets", default="2m,10m")
    options = asked.parse_args()
    rows = []
    for budget in options.budgets.split(","):
        for name in options.corpora.split(","):
            corpus = part(options.data, options.work, name, budget)
            chosen = model(corpus).about
            net = (chosen["net"]["width"], chosen["net"]["layers"])
            found = {net: chosen["held_out"]["bits_per_byte"]}
            for width, layers in SIZES:
                if (width, layers) not in found:
                    other = replace(corpus, model=Path(f"{corpus.model}-{width}x{layers}"))
                    settings = (f"net.width={width}", f"net.layers={layers}")
                    found[width, layers] = model(other, settings).about["held_out"]["bits_per_byte"]
            best = min(found.values())
            rows.append({
                "corpus": name, "budget": budget, "chosen": net, "expected": expected(corpus),
                "bits_per_byte": {f"{w}x{n}": round(bits, 4) for (w, n), bits in sorted(found.items())},
                "above_best": round(found[net] / best - 1, 4),
            })  # fmt: skip
    report("the size that a budget picks beside the best of a small sweep", rows)


if __name__ == "__main__":
    main()
