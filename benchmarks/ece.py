"""Does 70% mean 70%? Expected calibration error of the likeliest token's probability, after the model's own calibration.

    python benchmarks/ece.py --data DIR --work DIR [--corpora gesetze_de,code_python] [--slots 20000]

Top-1, 15 bins of equal mass, single slots in documents that neither training nor calibration saw.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from corpora import corpora, model, parser, report
from maskwright.modalities.base import Query
from maskwright.modalities.text.value import TEXT
from maskwright.model import calibrate
from maskwright.records.read import records_of

BINS = 15


def main() -> None:
    arguments = parser(__doc__ or "", ["gesetze_de", "code_python"])
    arguments.add_argument("--slots", type=int, default=20_000)
    options = arguments.parse_args()
    rows: list[dict[str, Any]] = []
    for corpus in corpora(options):
        made = model(corpus)
        tokens = made.modality.encode([r for texts in corpus.documents() for r in records_of(texts, TEXT)])
        questions = calibrate.together(tokens, options.slots, 1, np.random.default_rng(0))
        row: dict[str, Any] = {"corpus": corpus.name, "slots": len(questions), "temperature": made.calibration.slot}
        for name, (sure, right) in answers(made, questions).items():
            bins = np.array_split(np.argsort(sure), BINS)
            error = sum(len(b) * abs(sure[b].mean() - right[b].mean()) for b in bins) / len(sure)
            row |= {f"ECE {name}": round(float(error), 4), "top-1": round(float(right.mean()), 4)}
        rows.append(row)
    report("expected calibration error of single slots", rows)


def answers(made: Any, questions: list[Any]) -> dict[str, Any]:
    """Before and after calibration: (n,) probability of the likeliest token, and whether it stood there."""
    temperatures = {"before": 1.0, "after": made.calibration.slot}

    def answer(distribution: Any, members: list[int], rows: Any) -> list[Any]:
        asked = [(Query(questions[m].tokens, None), int(questions[m].at[0])) for m in members]
        truth = np.array([questions[m].tokens.values["id"][questions[m].at[0]] for m in members])
        found = [made.modality.restrict(distribution.tempered(t), asked).candidates(1) for t in temperatures.values()]
        return list(
            zip(*[zip(p[:, 0].exp().tolist(), v["id"][:, 0].numpy() == truth, strict=True) for v, p in found], strict=True)
        )

    both = np.array(made.predictor.ask(questions, answer), dtype=float)
    return {name: both[:, i].T for i, name in enumerate(temperatures)}


if __name__ == "__main__":
    main()
