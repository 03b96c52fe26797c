"""Does a run take as long as it was asked to?

    python benchmarks/budget.py --data DIR --work DIR [--corpora gesetze_de] [--budgets 3m,10m]

Wall time of the whole command, from its start to the finished folder.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from typing import Any

from corpora import parser, part, report
from maskwright.plan import seconds


def main() -> None:
    arguments = parser(__doc__ or "", ["gesetze_de"])
    arguments.add_argument("--budgets", default="3m,10m")
    options = arguments.parse_args()
    rows: list[dict[str, Any]] = []
    for name in options.corpora.split(","):
        for budget in options.budgets.split(","):
            corpus = part(options.data, options.work, name, budget)
            shutil.rmtree(corpus.model, ignore_errors=True)
            command = [sys.executable, "-m", "maskwright", "train", corpus.train, "--out", corpus.model, "--budget", budget,
                       "--field", "text", "--group", corpus.group]  # fmt: skip
            begun = time.monotonic()
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
            took = time.monotonic() - begun
            rows.append({"corpus": name, "asked": seconds(budget), "took": round(took, 1),
                         "ratio": round(took / seconds(budget), 4)})  # fmt: skip
    report("wall time of a run, beside its budget", rows)


if __name__ == "__main__":
    main()
