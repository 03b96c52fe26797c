"""Which grocery is it? A linear probe on what a model learned from a few hundred shop pictures without labels.

    python benchmarks/image_probe.py --images DIR --work DIR

20 CPU-minutes of pretraining on the training part; then train to test, coarse classes, beside PCA, an SVM on it, and the
histogram of colours.
"""

from __future__ import annotations

import numpy as np
from sklearn.svm import SVC

from corpora import report
from images import chosen, colours, components, histogram, opened, parser, pretrained, probe, table

MINUTES = 20


def main() -> None:
    options = parser(__doc__ or "").parse_args()
    rows = table(options, "grocery")
    split, labels = np.array(rows["split"]), np.array(rows["label_coarse"])
    train, test = np.flatnonzero(split == "train"), np.flatnonzero(split == "test")
    own, other = chosen(rows["image"], train), chosen(rows["image"], test)
    model = pretrained(options, "grocery", own, MINUTES)
    vectors = [model.embed([np.asarray(opened(p).convert("RGB")) for p in part]) for part in (own, other)]
    inner, outer = components(colours(own), colours(other))
    report("grocery, coarse classes, linear probe", [{
        "minutes": MINUTES, "train": len(train), "test": len(test),
        "ours": round(probe(vectors[0], labels[train], vectors[1], labels[test]), 4),
        "pca": round(probe(inner, labels[train], outer, labels[test]), 4),
        "pca_svm": round(float(SVC(C=10).fit(inner, labels[train]).score(outer, labels[test])), 4),
        "histogram": round(probe(histogram(own), labels[train], histogram(other), labels[test]), 4),
        "majority": round(float((labels[test] == max(set(labels[train]), key=list(labels[train]).count)).mean()), 4),
    }])  # fmt: skip


if __name__ == "__main__":
    main()
