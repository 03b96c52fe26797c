"""How many bits does a byte of held-out text take, after a budget of 10 minutes, beside counting?

    python benchmarks/held_out.py --data DIR --work DIR [--corpora gesetze_de,code_python,sgd_turns] [--budget 10m]

Trains the models that the other scripts look at, where they aren't there yet.
"""

from __future__ import annotations

from typing import Any

from corpora import corpora, model, parser, report


def main() -> None:
    options = parser(__doc__ or "", ["gesetze_de", "code_python", "sgd_turns", "peps_en"]).parse_args()
    rows: list[dict[str, Any]] = []
    for corpus in corpora(options):
        about = model(corpus).about
        held = about.held_out
        rows.append({
            "corpus": corpus.name, "budget": options.budget, "seconds": round(float(corpus.seconds.read_text()), 1),
            "bits_per_byte": round(held.bits_per_byte, 4), "floor_neighbours": round(held.floor_neighbours, 4),
            "floor_frequency": round(held.floor_frequency, 4),
            "below_floor": round(1 - held.bits_per_byte / held.floor_neighbours, 4), "top1": round(held.top1, 4),
            "net": [about.net["width"], about.net["layers"]], "times the data": about.trained.epochs,
        })  # fmt: skip
    report("held-out bits a byte of a model of this budget, beside counting", rows)


if __name__ == "__main__":
    main()
