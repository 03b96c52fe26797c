"""Where is the defect? Circuit boards, learned from boards without any.

    python benchmarks/image_odd.py --images DIR --work DIR [--minutes 40] [--boards 40]

Trained on templates alone, those of the last groups put aside whole; asked about tested boards of these groups. A patch of
8 x 8 pixels counts as odd when it holds the centre of a defect's box; patches that a box only touches are left out. AUROC
over patches, beside the error of a PCA of 24 x 24 surroundings and the distance to the nearest of 60,000 surroundings of
good boards (in their 64 first components). Pooled: the mean of a patch and the eight around it, the same for all three.
WORK/odd-best.png and odd-worst.png show where ours tells best and worst: the board, what is odd, what ours says.
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy.ndimage import uniform_filter
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from corpora import report
from images import Array, chosen, opened, parser, pretrained, table

PATCH, AROUND, ASIDE = 8, 8, 3
"""pixels a side, pixels that are looked at around a patch, groups put aside"""


def surroundings(board: Array) -> Array:
    """(patches, values) of every patch with what is around it."""
    side = PATCH + 2 * AROUND
    padded = np.pad(board, AROUND, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side))[::PATCH, ::PATCH]
    return np.ascontiguousarray(windows.reshape(-1, side * side), dtype=np.float32) / 255


def truth(shape: tuple[int, ...], found: list[dict[str, int]]) -> Array:
    """(rows, columns) of patches: 1 odd, 0 good, -1 left out."""
    out = np.zeros(tuple(n // PATCH for n in shape), dtype=int)
    for box in found:
        out[box["y1"] // PATCH : (box["y2"] - 1) // PATCH + 1, box["x1"] // PATCH : (box["x2"] - 1) // PATCH + 1] = -1
    for box in found:
        out[(box["y1"] + box["y2"]) // 2 // PATCH, (box["x1"] + box["x2"]) // 2 // PATCH] = 1
    return out


def main() -> None:
    asked = parser(__doc__ or "")
    asked.add_argument("--minutes", type=float, default=40)
    asked.add_argument("--boards", type=int, default=40)
    options = asked.parse_args()
    rows = table(options, "deeppcb")
    groups, kind = np.array(rows["group"]), np.array(rows["kind"])
    aside = np.isin(groups, sorted(set(groups.tolist()))[-ASIDE:])
    train = np.flatnonzero((kind == "template") & ~aside)
    test = np.random.default_rng(0).permutation(np.flatnonzero((kind == "test") & aside))[: options.boards]
    model = pretrained(options, "deeppcb", chosen(rows["image"], train), options.minutes)
    good = np.concatenate([surroundings(np.asarray(opened(p))) for p in chosen(rows["image"], train)])
    good = good[np.random.default_rng(1).permutation(len(good))[:60_000]]
    fitted = PCA(64, random_state=0).fit(good)
    nearest = NearestNeighbors(n_neighbors=1).fit(fitted.transform(good))
    maps: dict[str, list[Array]] = {"ours": [], "pca": [], "nearest": []}
    truths = []
    for number in test:
        board = np.asarray(opened(rows["image"][number]))
        truths.append(truth(board.shape, rows["boxes"][number]))
        shape = truths[-1].shape
        maps["ours"].append(np.array(model.score(board).per_token).reshape(shape))
        inner = fitted.transform(own := surroundings(board))
        maps["pca"].append(np.square(own - fitted.inverse_transform(inner)).mean(1).reshape(shape))
        maps["nearest"].append(nearest.kneighbors(inner)[0][:, 0].reshape(shape))
    row: dict[str, object] = {
        "minutes": options.minutes,
        "boards": len(test),
        "odd": int(sum((t == 1).sum() for t in truths)),
    }
    counted = np.concatenate([t[t >= 0] for t in truths])
    for name, found in maps.items():
        for way, change in (("", lambda m: m), ("_pooled", lambda m: uniform_filter(m, 3))):
            said = np.concatenate([change(m)[t >= 0] for m, t in zip(found, truths, strict=True)])
            row[name + way] = round(float(roc_auc_score(counted, said)), 4)
    own = [roc_auc_score(t[t >= 0], m[t >= 0]) for m, t in zip(maps["ours"], truths, strict=True)]
    for name, index in (("best", int(np.argmax(own))), ("worst", int(np.argmin(own)))):
        board = np.asarray(opened(rows["image"][test[index]]))
        sheet = [board, 255 * (truths[index] > 0), 255 * maps["ours"][index] / np.quantile(maps["ours"][index], 0.999)]
        large = [np.kron(part, np.ones((PATCH, PATCH))) if part.shape != board.shape else part for part in sheet]
        Image.fromarray(np.hstack(large).clip(0, 255).astype(np.uint8)).save(options.work / f"odd-{name}.png")
    report("defects of circuit boards, AUROC over patches", [row])


if __name__ == "__main__":
    main()
