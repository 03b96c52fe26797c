"""Do the sets that `coverage=0.9` gives hold the truth 90% of the time, and are they smaller than a top-k that does?

    python benchmarks/conformal.py --data DIR --work DIR [--corpora gesetze_de,code_python]

50 single slots in each document that no training saw; five folds by document: the level is fitted on four, checked on the
fifth; intervals by resampling documents. Beside it the smallest k whose k likeliest tokens hold the truth as often.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from corpora import corpora, model, parser, report, resampled
from maskwright.modalities.base import Query
from maskwright.modalities.text.value import TEXT
from maskwright.model import calibrate
from maskwright.model.calibrate import QUANTILES
from maskwright.model.calibration import Calibration
from maskwright.records.read import records_of

COVERAGE, SLOTS, FOLDS = 0.9, 50, 5


def main() -> None:
    options = parser(__doc__ or "", ["gesetze_de", "code_python"]).parse_args()
    rows: list[dict[str, Any]] = []
    for corpus in corpora(options):
        made = model(corpus)
        rng = np.random.default_rng(0)
        documents: list[tuple[Any, Any, Any]] = []  # nats of the truth, its rank, nats of every value in order
        for texts in corpus.documents():
            tokens = made.modality.encode(list(records_of(texts, TEXT)))
            questions = calibrate.together(tokens, SLOTS, 1, rng)
            if len(questions) == SLOTS:
                documents.append(read(made, questions))
        order = rng.permutation(len(documents))
        held, size, top = [np.zeros(0)] * len(documents), [np.zeros(0)] * len(documents), [np.zeros(0)] * len(documents)
        for fold in range(FOLDS):
            check = set(order[fold::FOLDS])
            nats = np.concatenate([documents[i][0] for i in range(len(documents)) if i not in check])
            level = Calibration(
                levels=[np.quantile(nats, np.linspace(0, 1, QUANTILES), method="higher").tolist()], slots=[len(nats)]
            )
            for i in check:
                truth, rank, everything = documents[i]
                held[i] = truth <= level.level(COVERAGE, 1)
                size[i] = (everything <= level.level(COVERAGE, 1)).sum(1)
                top[i] = rank
        mean = lambda docs: float(np.concatenate(docs).mean())  # noqa: E731
        covered = mean(held)
        ranks = np.concatenate(top)
        k = next(k for k in range(1, int(ranks.max()) + 2) if (ranks < k).mean() >= covered)
        rows.append({
            "corpus": corpus.name, "documents": len(documents), "slots": len(ranks), "coverage": round(covered, 4),
            "interval": [round(x, 4) for x in resampled(held, mean)], "mean size": round(mean(size), 2),
            "median size": float(np.median(np.concatenate(size))), "smallest top-k of equal coverage": k,
        })  # fmt: skip
    report("conformal sets at 90%", rows)


def read(made: Any, questions: list[Any]) -> tuple[Any, Any, Any]:
    """Nats of the truth (n,), how many values are likelier (n,), nats of every value (n, V)."""

    def answer(distribution: Any, members: list[int], rows: Any) -> list[Any]:
        asked = [(Query(questions[m].tokens, None), int(questions[m].at[0])) for m in members]
        nats = -made.modality.restrict(distribution.tempered(made.calibration.slot), asked).log_probs().cpu().numpy()
        truth = np.array([questions[m].tokens.values["id"][questions[m].at[0]] for m in members])
        own = nats[np.arange(len(members)), truth]
        return [(own[i], (nats[i] < own[i]).sum(), nats[i]) for i in range(len(members))]

    found = made.predictor.ask(questions, answer)
    return np.array([f[0] for f in found]), np.array([f[1] for f in found]), np.stack([f[2] for f in found])


if __name__ == "__main__":
    main()
