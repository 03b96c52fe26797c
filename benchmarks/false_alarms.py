"""Is the promised share of false alarms kept on good pictures that the model has not seen?

    python benchmarks/false_alarms.py --images DIR --work DIR [--minutes 5] [--promised 0.05]

Hand signs: 600 pictures of signers that were put aside; groceries: 200 of train and val. Half of them set the level, as
`Model.threshold` does, half check it; the mean of 50 such halvings.
"""

from __future__ import annotations

import numpy as np

import maskwright as mw
from corpora import report
from images import chosen, opened, parser, pretrained, table
from maskwright.model.calibration import Calibration

HALVINGS = 50


def kept(strange: np.ndarray, promised: float) -> list[float]:  # type: ignore[type-arg]
    """The share of alarms in the half that checks, for every halving."""
    rng, out = np.random.default_rng(0), []
    for _ in range(HALVINGS):
        order = rng.permutation(len(strange))
        level, check = strange[order[: len(order) // 2]], strange[order[len(order) // 2 :]]
        out.append(float((check > Calibration(strangeness=sorted(level.tolist())).threshold(promised)).mean()))
    return out


def main() -> None:
    asked = parser(__doc__ or "")
    asked.add_argument("--minutes", type=float, default=5)
    asked.add_argument("--promised", type=float, default=0.05)
    options = asked.parse_args()
    rng, out = np.random.default_rng(0), []
    signs, groceries = table(options, "sign_digits"), table(options, "grocery")
    signer = np.array(signs["signer"])
    order = rng.permutation(np.unique(signer))
    aside = np.flatnonzero(
        np.isin(signer, order[: np.searchsorted(np.cumsum([(signer == s).sum() for s in order]), 600) + 1])
    )
    rest = np.setdiff1d(np.arange(len(signer)), aside)
    own = rng.permutation(np.flatnonzero(np.array(groceries["split"]) != "test"))
    for name, rows, good, train in (
        ("sign_digits", signs, rng.permutation(aside)[:600], rest), ("grocery", groceries, own[:200], own[200:]),
    ):  # fmt: skip
        model = pretrained(options, f"{name}-alarms", chosen(rows["image"], train), options.minutes)
        scores = model.score([np.asarray(opened(p).convert("RGB")) for p in chosen(rows["image"], good)])
        shares = kept(np.array([score.mean for score in scores]), options.promised)
        try:
            line = model.threshold(options.promised)
            by_itself = round(float(np.mean([score.mean > line for score in scores])), 4)
        except mw.QueryError:  # too few were held out to promise that
            by_itself = None
        out.append({
            "pictures": name, "good": len(good), "promised": options.promised, "mean": round(float(np.mean(shares)), 4),
            "least": round(min(shares), 4), "most": round(max(shares), 4),
            "by_the_models_own_level": by_itself, "it_was_set_on": len(model.calibration.strangeness),
        })  # fmt: skip
    report("false alarms on good pictures", out)


if __name__ == "__main__":
    main()
