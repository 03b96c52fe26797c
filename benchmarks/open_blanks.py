"""How often does a blank of unknown length come out exactly right, beside the same decoder told the true length?

    python benchmarks/open_blanks.py --data DIR --work DIR [--corpora gesetze_de] [--spans 2000]

Spans of 1 to 8 tokens in equal shares, in documents that no training saw, with up to 62 tokens of context.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from corpora import corpora, model, parser, report
from maskwright.modalities.text.value import TEXT
from maskwright.model import beam_decode, calibrate, span_length
from maskwright.model.beam_decode import DecodeConfig
from maskwright.records.read import records_of


def main() -> None:
    arguments = parser(__doc__ or "", ["gesetze_de"])
    arguments.add_argument("--spans", type=int, default=2000)
    options = arguments.parse_args()
    rows: list[dict[str, Any]] = []
    for corpus in corpora(options):
        made = model(corpus)
        rng = np.random.default_rng(0)
        tokens = made.modality.encode([r for texts in corpus.documents() for r in records_of(texts, TEXT)])
        share = options.spans // made.modality.longest_blank
        spans = [
            calibrate.blanked(records, at, calibrate.SPAN_CONTEXT)
            for n in range(1, made.modality.longest_blank + 1)
            for records, at in picked(tokens, share, n, rng)
        ]
        config = DecodeConfig(temperature=made.calibration.slot, beam=span_length.BEAM)
        saved = made.about.calibration.lengths.weights
        told, found, length = [], [], []
        for start in range(0, len(spans), 100):
            chunk = spans[start : start + 100]
            variants = [span_length.variants(a, made.modality.longest_blank) for a in chunk]
            flat = [v for group in variants for v in group]
            best = beam_decode.best(made.predictor, flat, config)
            weights = made.calibration.lengths(span_length.features(made.predictor, flat, [b[0] for b in best], config))
            for i, span in enumerate(chunk):
                mine = slice(i * made.modality.longest_blank, (i + 1) * made.modality.longest_blank)
                true = len(next(iter(span.truth.values()))) if span.truth else 0
                log_share = weights[mine] - np.logaddexp.reduce(weights[mine])
                rank = [
                    made.calibration.completion(b[0].rank, n) + s
                    for n, (b, s) in enumerate(zip(best[mine], log_share, strict=True), 1)
                ]
                chosen = int(np.argmax(rank)) + 1
                told.append(calibrate.is_right(variants[i][true - 1], best[mine][true - 1][0].tokens))
                found.append(chosen == true and told[-1])
                length.append((true, chosen, int(np.argmax(weights[mine])) + 1))
        true, chosen, likeliest = np.array(length).T
        by_length = [bool(t and g == n) for t, g, n in zip(told, likeliest, true, strict=True)]
        rows.append({
            "corpus": corpus.name, "weights": saved, "spans": len(spans), "told the length": round(float(np.mean(told)), 4),
            "open": round(float(np.mean(found)), 4), "share": round(float(np.sum(found) / np.sum(told)), 4),
            "length right": round(float((true == chosen).mean()), 4),
            "share, had the likeliest length been taken": round(float(np.sum(by_length) / np.sum(told)), 4),
            "by length, told and open": {
                n: np.array([told, found])[:, true == n].mean(1).round(3).tolist()
                for n in range(1, made.modality.longest_blank + 1)
            },
        })  # fmt: skip
    report("exact recovery of blanks of unknown length, beside the same decoder told the length", rows)


def picked(tokens: list[Any], count: int, length: int, rng: np.random.Generator) -> list[tuple[Any, Any]]:
    """`count` stretches of `length` tokens, at random over all."""
    room = np.array([max(len(t) - length + 1, 0) for t in tokens])
    ends = np.cumsum(room)
    out = []
    for pick in np.sort(rng.choice(ends[-1], size=count, replace=False)):
        number = int(np.searchsorted(ends, pick, side="right"))
        start = int(pick - (ends[number] - room[number]))
        out.append((tokens[number], np.arange(start, start + length)))
    return out


if __name__ == "__main__":
    main()
