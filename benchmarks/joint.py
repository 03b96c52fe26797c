"""Do several adjacent blanks come out right more often when they are filled jointly than each by itself?

    python benchmarks/joint.py --data DIR --work DIR [--corpora peps_en,gesetze_de]

2 to 5 adjacent tokens hidden in documents that no training saw, 100 spans a document at the most, with up to 62 tokens of
context, the same for both; paired; the interval and p by resampling documents.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from corpora import corpora, model, parser, report, resampled
from maskwright.modalities.text.value import TEXT
from maskwright.model import beam_decode, calibrate
from maskwright.model.beam_decode import DecodeConfig
from maskwright.model.predictor import Question
from maskwright.records.read import records_of


def main() -> None:
    arguments = parser(__doc__ or "", ["peps_en", "gesetze_de"])
    arguments.add_argument("--spans", type=int, default=100, help="a document")
    options = arguments.parse_args()
    rows: list[dict[str, Any]] = []
    for corpus in corpora(options):
        made = model(corpus)
        reader, rng = made.predictor, np.random.default_rng(0)
        documents = []
        for texts in corpus.documents():
            tokens = made.modality.encode(list(records_of(texts, TEXT)))
            spans = [a for n in (2, 3, 4, 5) for a in calibrate.stretches(tokens, options.spans // 4, n, rng)]
            if not spans:
                continue
            config = DecodeConfig(temperature=made.calibration.slot)
            joint = [
                calibrate.is_right(a, c[0].tokens)
                for a, c in zip(spans, beam_decode.best(reader, spans, config), strict=True)
            ]
            alone = reader.ask([Question(a.tokens, ~a.tokens.present, np.flatnonzero(~a.tokens.present)) for a in spans],
                               partial(independent, made, spans))  # fmt: skip
            documents.append(np.array([joint, alone, [len(a.truth["id"]) for a in spans if a.truth]], dtype=float).T)
        together = np.concatenate(documents)
        difference = lambda docs: float(np.concatenate(docs)[:, :2].mean(0) @ np.array([1, -1]))  # noqa: E731
        low, high = resampled(documents, difference)
        rng = np.random.default_rng(1)
        draws = [difference([documents[i] for i in rng.integers(0, len(documents), len(documents))]) for _ in range(2000)]
        rows.append({
            "corpus": corpus.name, "spans": len(together), "documents": len(documents),
            "joint": round(float(together[:, 0].mean()), 4), "independent": round(float(together[:, 1].mean()), 4),
            "difference": round(difference(documents), 4), "interval": [round(low, 4), round(high, 4)],
            "p": (1 + sum(d <= 0 for d in draws)) / (1 + len(draws)),
            "by length": {n: together[together[:, 2] == n][:, :2].mean(0).round(4).tolist() for n in (2, 3, 4, 5)},
        })  # fmt: skip
    report("exact recovery of 2 to 5 adjacent tokens, joint against independent", rows)


def independent(made: Any, spans: list[Any], distribution: Any, members: list[int], rows: Any) -> list[bool]:
    """The likeliest token at each blank, from one reading in which all are hidden."""
    asked = [(spans[m], int(i)) for m in members for i in np.flatnonzero(~spans[m].tokens.present)]
    ids = made.modality.restrict(distribution, asked).mode()["id"].cpu().numpy()
    return [
        bool(np.array_equal(ids[a:b], spans[m].truth["id"])) for m, a, b in zip(members, rows[:-1], rows[1:], strict=True)
    ]


if __name__ == "__main__":
    main()
