"""How close does `score` by 16 passes come to the exact one, and at what share of its cost?

    python benchmarks/score_passes.py --data DIR --work DIR [--corpora gesetze_de] [--texts 200]

Texts of 200 to 400 tokens from documents that no training saw; Spearman's rank correlation of the mean nats a token; both
sides timed text by text, in turn.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from corpora import corpora, model, parser, report
from maskwright.modalities.text.value import TEXT
from maskwright.model.score import score
from maskwright.records.read import records_of


def main() -> None:
    arguments = parser(__doc__ or "", ["gesetze_de"])
    arguments.add_argument("--texts", type=int, default=200)
    options = arguments.parse_args()
    rows: list[dict[str, Any]] = []
    for corpus in corpora(options):
        made = model(corpus)
        rng = np.random.default_rng(0)
        documents = made.modality.encode([r for texts in corpus.documents() for r in records_of(texts, TEXT)])
        long = [d for d in documents if len(d) >= 400]
        means: dict[str, list[float]] = {"16": [], "all": []}
        seconds = {"16": 0.0, "all": 0.0}
        for number in range(options.texts):
            whole = long[number % len(long)]
            length = int(rng.integers(200, 401))
            start = int(rng.integers(0, len(whole) - length + 1))
            tokens = whole.take(slice(start, start + length))
            for name, passes in (("16", 16), ("all", "all")):
                begun = time.perf_counter()
                means[name].append(float(score(made.predictor, [tokens], [number], passes)[0].mean()))
                seconds[name] += time.perf_counter() - begun
        ranks = [np.argsort(np.argsort(values)) for values in means.values()]
        rows.append({
            "corpus": corpus.name, "texts": options.texts, "window": made.net.config.length,
            "rank correlation": round(float(np.corrcoef(*ranks)[0, 1]), 5),
            "share of the cost": round(seconds["16"] / seconds["all"], 4),
            "mean nats a token": [round(float(np.mean(v)), 4) for v in means.values()],
        })  # fmt: skip
    report("score by 16 passes against the exact one", rows)


if __name__ == "__main__":
    main()
