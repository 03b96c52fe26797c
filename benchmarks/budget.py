"""Does a run take as long as it was asked to?

    python benchmarks/budget.py --data DIR --work DIR [--corpora gesetze_de] [--budgets 3m,10m]

Wall time of the whole command, from its start to the finished folder; models that are there already are not trained again.
"""

from __future__ import annotations

from typing import Any

from corpora import model, parser, part, report
from maskwright.runs.sizing import seconds


def main() -> None:
    arguments = parser(__doc__ or "", ["gesetze_de"])
    arguments.add_argument("--budgets", default="3m,10m")
    options = arguments.parse_args()
    rows: list[dict[str, Any]] = []
    for name in options.corpora.split(","):
        for budget in options.budgets.split(","):
            corpus = part(options.data, options.work, name, budget)
            model(corpus)
            took = float(corpus.seconds.read_text())
            rows.append({"corpus": name, "asked": seconds(budget), "took": round(took, 1),
                         "ratio": round(took / seconds(budget), 4)})  # fmt: skip
    report("wall time of a run, beside its budget", rows)


if __name__ == "__main__":
    main()
