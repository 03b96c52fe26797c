"""A quarter of a picture is hidden: how near is what is filled in, and can filled areas be told from real ones?

    python benchmarks/image_fills.py --images DIR --work DIR [--pictures 200] [--minutes 20]

Trained on the training part of the groceries; a box of a quarter of the area is hidden at random in pictures of the test
part. PSNR of the hidden pixels, beside OpenCV's inpainting (Telea, 2004, and Navier-Stokes, the better of radius 3 and 8).
Then HOG and logistic regression, five folds by picture, tell filled areas from real ones: AUROC of draws, of the mode, and
of the mode with noise of the deviation that makes it the hardest to tell. WORK/fills-best.png and fills-worst.png show where
ours is the furthest ahead and behind: as it was, hidden, Telea, mode, draw. Then the same pictures with dust and scratches:
a twentieth of the pixels at random and a line of three every 37, a tenth in all; hardly a patch is without some.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image
from skimage.feature import hog
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from corpora import report
from images import Array, chosen, opened, parser, pretrained, table

NOISES = (4.0, 8.0, 16.0, 32.0)
SHOWN = 4
"""pictures of either sheet"""
Box = tuple[slice, slice]
PEERS = {"telea": cv2.INPAINT_TELEA, "navier_stokes": cv2.INPAINT_NS}


def boxes(arrays: list[Array], seed: int = 0) -> list[Box]:
    rng, out = np.random.default_rng(seed), []
    for array in arrays:
        sizes = [n // 2 for n in array.shape[:2]]
        starts = [int(rng.integers(0, n - size + 1)) for n, size in zip(array.shape[:2], sizes, strict=True)]
        out.append((slice(starts[0], starts[0] + sizes[0]), slice(starts[1], starts[1] + sizes[1])))
    return out


def dust(arrays: list[Array], seed: int = 0) -> list[Array]:
    """(rows, columns) bool of every picture."""
    rng, out = np.random.default_rng(seed), []
    for array in arrays:
        y, x = np.mgrid[: array.shape[0], : array.shape[1]]
        scratched = np.abs((x * rng.uniform(0.5, 1.5) - y) % 37) < 1.5
        out.append((rng.random(array.shape[:2]) < 0.05) | scratched)
    return out


def by_peers(arrays: list[Array], where: list[Any]) -> dict[str, list[Array]]:
    """Each with the radius that suits it better."""
    masks, out = [np.zeros(array.shape[:2], dtype=np.uint8) for array in arrays], {}
    for mask, hidden in zip(masks, where, strict=True):
        mask[hidden] = 255
    for name, method in PEERS.items():
        made = [[cv2.inpaint(a, m, r, method) for a, m in zip(arrays, masks, strict=True)] for r in (3, 8)]
        out[name] = max(made, key=lambda filled: float(psnr(arrays, filled, where).mean()))
    return out


def psnr(arrays: list[Array], filled: list[Array], where: list[Any]) -> Array:
    """Decibels of what is hidden of every picture."""
    out = []
    for one, other, box in zip(arrays, filled, where, strict=True):
        out.append(-10 * np.log10(max(np.square(one[box] / 255.0 - other[box] / 255.0).mean(), 1e-10)))
    return np.array(out)


def told_apart(arrays: list[Array], filled: list[Array], where: list[Box]) -> float:
    """AUROC, 0.5 where nothing tells them apart."""

    def features(pictures: list[Array]) -> Array:
        rows = []
        for picture, box in zip(pictures, where, strict=True):
            area = cv2.resize(cv2.cvtColor(np.ascontiguousarray(picture[box]), cv2.COLOR_RGB2GRAY), (48, 48))
            rows.append(hog(area / 255.0, orientations=9, pixels_per_cell=(8, 8), cells_per_block=(2, 2)))
        return np.stack(rows)

    x = np.concatenate([features(arrays), features(filled)])
    y, groups = np.repeat([0, 1], len(arrays)), np.tile(np.arange(len(arrays)), 2)
    made = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=3000))
    said = cross_val_predict(made, x, y, groups=groups, cv=GroupKFold(5), method="predict_proba")[:, 1]
    return round(float(roc_auc_score(y, said)), 4)


def strips(numbers: Array, columns: list[list[Array]], path: Path) -> None:
    """A row a picture, a column a way, on one sheet."""
    side = max(max(picture.shape[:2]) for pictures in columns for picture in pictures) + 4
    sheet = np.full((side * len(numbers), side * len(columns), 3), 255, dtype=np.uint8)
    for row, number in enumerate(numbers):
        for column, pictures in enumerate(columns):
            picture = pictures[number]
            sheet[side * row :, side * column :][: picture.shape[0], : picture.shape[1]] = picture
    Image.fromarray(sheet).save(path)


def main() -> None:
    asked = parser(__doc__ or "")
    asked.add_argument("--pictures", type=int, default=200)
    asked.add_argument("--minutes", type=float, default=20)
    options = asked.parse_args()
    rows = table(options, "grocery")
    split = np.array(rows["split"])
    model = pretrained(options, "grocery", chosen(rows["image"], np.flatnonzero(split == "train")), options.minutes)
    test = np.random.default_rng(0).permutation(np.flatnonzero(split == "test"))[: options.pictures]
    arrays = [np.asarray(opened(p).convert("RGB")) for p in chosen(rows["image"], test)]
    where = boxes(arrays)
    masks = [np.zeros(array.shape[:2], dtype=bool) for array in arrays]
    for mask, box in zip(masks, where, strict=True):
        mask[box] = True
    mode = [model.fill(array, mask=mask).value.pixels for array, mask in zip(arrays, masks, strict=True)]
    draws = [model.fill(a, mask=m, draws=1).value.pixels for a, m in zip(arrays, masks, strict=True)]
    peers = by_peers(arrays, where)
    ways = {"mode": mode, "draw": draws} | peers
    near = {name: psnr(arrays, made, where) for name, made in ways.items()}
    order = np.argsort(near["mode"] - np.maximum(near["telea"], near["navier_stokes"]))
    hidden = [np.where(m[..., None], np.uint8(128), a) for a, m in zip(arrays, masks, strict=True)]
    for name, numbers in (("best", order[::-1][:SHOWN]), ("worst", order[:SHOWN])):
        strips(numbers, [arrays, hidden, peers["telea"], mode, draws], options.work / f"fills-{name}.png")
    rng, noisy = np.random.default_rng(1), []
    for deviation in NOISES:
        made = [(m + rng.normal(0, deviation, m.shape)).round().clip(0, 255).astype(np.uint8) for m in mode]
        noisy.append(told_apart(arrays, made, where))
    apart = {
        "draws": told_apart(arrays, draws, where),
        "mode": told_apart(arrays, mode, where),
        "mode_and_noise": min(noisy),
    }
    specks = dust(arrays)
    mended = {"mode": [model.fill(a, mask=m).value.pixels for a, m in zip(arrays, specks, strict=True)]}
    cleaned = {name: psnr(arrays, made, specks) for name, made in (mended | by_peers(arrays, specks)).items()}
    out = []
    for what, found in (("a quarter, a box", near), ("a tenth, dust and scratches", cleaned)):
        ahead = found["mode"] > np.maximum(found["telea"], found["navier_stokes"])
        out.append({
            "hidden": what, "pictures": len(arrays), "minutes": options.minutes,
            "psnr": {name: round(float(values.mean()), 3) for name, values in found.items()},
            "nearer_than_both": round(float(ahead.mean()), 3),
        })  # fmt: skip
    out[0]["auroc_filled_from_real"] = apart
    report("hidden quarters, dust and scratches of held-out groceries", out)


if __name__ == "__main__":
    main()
