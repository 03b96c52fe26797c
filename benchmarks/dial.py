"""Is the size that `--budget` picks the best of a small sweep?

    python benchmarks/dial.py --data DIR --work DIR [--corpora gesetze_de,code_python,sgd_turns] [--budgets 2m,10m]

For each corpus and budget: the whole command left alone, and the same with the next smaller and larger widths set by hand,
for as much wall time, and on in either direction while that is better or within 1%. Held-out bits a byte, and how far the
choice is from the best of them; beside it what `maskwright plan` had expected of the choice. Models of `held_out.py` serve
where they are there already.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from corpora import Corpus, model, parser, part, report
from maskwright.runs import sizing

WIDTHS = (64, 128, 192, 256, 384, 512)
GIVE_UP = 1.01


def expected(corpus: Corpus) -> dict[str, Any]:
    """What `plan` says of this budget."""
    command = [
        sys.executable,
        "-m",
        "maskwright",
        "plan",
        corpus.train,
        "--field",
        "text",
        "--json",
        "--group",
        corpus.group,
    ]
    command += ["--budget", corpus.budget]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return next(row for row in map(json.loads, lines) if row["seconds"] == sizing.seconds(corpus.budget))


def main() -> None:
    asked = parser(__doc__ or "", ["gesetze_de", "code_python", "sgd_turns"])
    asked.add_argument("--budgets", default="2m,10m")
    options = asked.parse_args()
    rows = []
    for budget in options.budgets.split(","):
        for name in options.corpora.split(","):
            corpus = part(options.data, options.work, name, budget)
            chosen = model(corpus).about
            net = chosen.net["width"]
            found = {net: chosen.held_out.bits_per_byte}
            for widths in ([w for w in WIDTHS if w > net], [w for w in WIDTHS[::-1] if w < net]):
                for width in widths:
                    other = replace(corpus, model=Path(f"{corpus.model}-{width}"))
                    found[width] = model(other, (f"net.width={width}",)).about.held_out.bits_per_byte
                    if found[width] > GIVE_UP * min(found.values()):
                        break
            rows.append({
                "corpus": name, "budget": budget, "chosen": net, "layers": chosen.net["layers"],
                "tokens": chosen.trained.tokens, "expected": expected(corpus),
                "floor": round(min(chosen.held_out.floor_neighbours, chosen.held_out.floor_frequency), 4),
                "bits_per_byte": {str(width): round(bits, 4) for width, bits in sorted(found.items())},
                "above_best": round(found[net] / min(found.values()) - 1, 4),
            })  # fmt: skip
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)  # hours lie between them
    report("the size that a budget picks beside the best of a small sweep", rows)


if __name__ == "__main__":
    main()
