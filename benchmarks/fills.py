"""Twenty unchosen fills: places drawn at random from documents that no training saw.

    python benchmarks/fills.py --data DIR --work DIR [--corpora gesetze_de,code_python]

Two adjacent tokens hidden, 25 tokens shown on either side; a row says what was filled in and what stood there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from corpora import corpora, model, parser, report
from maskwright.modalities.text.value import TEXT
from maskwright.model import beam_decode, calibrate
from maskwright.model.beam_decode import DecodeConfig
from maskwright.records.read import records_of


def main() -> None:
    options = parser(__doc__ or "", ["gesetze_de", "code_python"]).parse_args()
    rows: list[dict[str, Any]] = []
    for corpus in corpora(options):
        made = model(corpus)
        rng = np.random.default_rng(0)
        tokens = made.modality.encode([r for texts in corpus.documents() for r in records_of(texts, TEXT)])
        spans = calibrate.stretches(tokens, 20, 2, rng)
        text = lambda ids: made.modality.vocabulary.text(ids)  # noqa: B023, E731
        for span, found in zip(
            spans, beam_decode.best(made.predictor, spans, DecodeConfig(temperature=made.calibration.slot)), strict=True
        ):
            at = np.flatnonzero(~span.tokens.present)
            ids = found[0].tokens.values["id"]
            rows.append({
                "corpus": corpus.name, "before": text(ids[max(at[0] - 25, 0) : at[0]]), "filled": text(ids[at]),
                "stood there": text(span.truth["id"]) if span.truth else "", "after": text(ids[at[-1] + 1 : at[-1] + 26]),
                "prob": round(made.calibration.completion(found[0].log_prob, 2), 3),
            })  # fmt: skip
    report("twenty unchosen fills each", rows)


if __name__ == "__main__":
    main()
