"""Do labels go further with a pretrained net? Hand signs, split by signer, labels for a tenth and for all.

    python benchmarks/image_classes.py --images DIR --work DIR [--splits 10]

Of each split: 10 CPU-minutes of pretraining on the training part's pictures (without labels); 2 of fine-tuning; the same net
from scratch for 12; linear probes on frozen features, on those of a random encoder, on raw pixels, PCA and HOG. Finished
ways of a split are kept in WORK, which belongs to one version of this file, and the run goes on. Differences are paired by
split, with 95% intervals (Student's t).
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy import stats
from torch import Tensor, nn
from torch.nn import functional as F

import maskwright as mw
from corpora import report
from images import Array, chosen, components, gradients, opened, parser, pretrained, probe, raw, table
from maskwright.modalities.base import Modality
from maskwright.model import folder
from maskwright.model.embed import cells
from maskwright.nets.masked import MaskedNet
from maskwright.records.read import records_of
from maskwright.system.atomic_files import write_whole
from maskwright.system.device import fast_dtype
from maskwright.tokens import collate
from maskwright.training.optimiser import Optimiser

PRETRAIN, FINE_TUNE, SCRATCH = 10, 2, 12
"""CPU-minutes"""
PATCH, RATE, DECAY = 12, 8e-3, 0.5
"""this and `RECIPES` were chosen on signers of the first split's training part, put aside for that; other splits test on
some of them, fine-tuned and from scratch alike"""


@dataclass(frozen=True)
class Recipe:
    """How a net learns labels, fine-tuned or from scratch."""

    batch: int
    hidden: tuple[float, float]
    """shares of the patches that are hidden while it learns, at the beginning and at the end"""
    smooth: float
    """share of the truth that is spread over all classes"""
    bent: bool
    """pictures are turned, scaled and tinted too, not moved alone"""


WAYS = ("raw", "hog", "frozen", "random", "pca", "fine_tuned", "scratch")
RECIPES = {"tenth": Recipe(16, (0.25, 0.25), 0.2, True), "all": Recipe(32, (0.6, 0.0), 0.1, False)}


class Classifier(nn.Module):
    """A picture's vector as `embed` pools it, normed, and a linear layer. While training, patches are hidden at random."""

    def __init__(self, net: MaskedNet, modality: Modality, classes: int) -> None:
        super().__init__()
        width = modality.pooling.width(modality.axes, net.config.width)
        self.inputs, self.encoder = net.inputs, net.encoder
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, classes))
        self.states, self.modality = net.states, modality

    def forward(self, pictures: Sequence[Array], rng: np.random.Generator | None = None, share: float = 0.0) -> Tensor:
        tokens = self.modality.encode(list(records_of(list(pictures), self.modality.value_type)))
        batch = collate(tokens, range(len(tokens)))  # our own nets of pictures have no frame
        along = self.modality.pooling.cells
        many = along**self.modality.axes
        cell = np.concatenate([cells(t, along) + many * number for number, t in enumerate(tokens)])
        hidden = np.zeros(len(batch), dtype=bool) if rng is None else rng.random(len(batch)) < share
        seen = np.flatnonzero(~hidden)
        states, index = self.states(batch, hidden).float()[torch.from_numpy(seen)], torch.from_numpy(cell[seen])
        counts = torch.bincount(index, minlength=many * len(tokens)).clamp(min=1)[:, None]
        empty = states.new_zeros(len(counts), states.shape[1])
        mean = empty.index_add(0, index, states) / counts
        deviation = (empty.index_add(0, index, (states - mean[index]) ** 2) / counts + 1e-6).sqrt()
        parts = [mean, deviation] if self.modality.pooling.deviation else [mean]
        return self.head(torch.cat([part.reshape(len(tokens), -1) for part in parts], dim=1))


def moved(picture: Array, rng: np.random.Generator) -> Array:
    """Shifted by up to a twelfth of its side, and mirrored half of the time: the same for every net."""
    reach = picture.shape[0] // 12
    padded = np.pad(picture, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    y, x = rng.integers(0, 2 * reach + 1, 2)
    out = padded[y : y + picture.shape[0], x : x + picture.shape[1]]
    return np.ascontiguousarray(out[:, ::-1] if rng.random() < 0.5 else out)


def bent(picture: Array, rng: np.random.Generator) -> Array:
    """Turned by up to 15 degrees, scaled by up to 16%, shifted and mirrored like `moved`; each colour a fifth stronger or
    weaker, all of them lighter or darker."""
    side = np.array(picture.shape[:2][::-1])
    turn, mirror = np.deg2rad(rng.uniform(-15, 15)), rng.choice([-1, 1])
    matrix = np.exp(rng.uniform(-0.15, 0.15)) * np.array([
        [np.cos(turn) * mirror, -np.sin(turn)], [np.sin(turn) * mirror, np.cos(turn)]
    ])  # fmt: skip
    middle = (side - 1) / 2
    offset = middle + rng.uniform(-1, 1, 2) * side / 12 - matrix @ middle
    affine = (*matrix[0], offset[0], *matrix[1], offset[1])
    out = Image.fromarray(picture).transform(tuple(side), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR)
    tinted = np.asarray(out) * np.exp(rng.uniform(-0.2, 0.2, 3)) + rng.uniform(-30, 30)
    return tinted.clip(0, 255).astype(np.uint8)


def taught(
    net: MaskedNet, modality: Modality, pictures: list[Array], labels: Array, minutes: float, recipe: Recipe, seed: int
) -> Classifier:
    """All weights trained by maskwright's optimiser for so many CPU-minutes, the rate rising for a tenth and falling as a
    cosine."""
    torch.manual_seed(seed)
    own, rng, precision = copy.deepcopy(net), np.random.default_rng(seed), fast_dtype(torch.device("cpu"))
    own.dtype = precision  # as `train` has it
    made = Classifier(own, modality, int(labels.max()) + 1).train()
    optimiser, view = Optimiser(made, DECAY, precision), bent if recipe.bent else moved
    begun, seconds = time.process_time(), 60 * minutes
    while (share := (time.process_time() - begun) / seconds) < 1:
        at = rng.integers(0, len(pictures), recipe.batch)
        hidden = recipe.hidden[0] + (recipe.hidden[1] - recipe.hidden[0]) * share
        found = made([view(pictures[i], rng) for i in at], rng, hidden)
        F.cross_entropy(found, torch.from_numpy(labels[at]), label_smoothing=recipe.smooth).backward()
        optimiser.clip(1.0)
        optimiser.step(RATE * min(10 * share, (1 + math.cos(math.pi * share)) / 2))
    return made.eval()


@torch.no_grad()
def right(made: Classifier, pictures: list[Array], labels: Array) -> float:
    found = [made(pictures[i : i + 64]).argmax(1).numpy() for i in range(0, len(pictures), 64)]
    return float((np.concatenate(found) == labels).mean())


def one(options: Any, rows: dict[str, list[Any]], split: int) -> dict[str, dict[str, float]]:
    """Accuracy by share of labels and by way."""
    kept = options.work / f"signs-{split}.json"
    out: dict[str, dict[str, float]] = json.loads(kept.read_text()) if kept.exists() else {"tenth": {}, "all": {}}
    if all(out[name].keys() >= set(WAYS) for name in out):
        return out
    torch.set_num_threads(1)
    rng = np.random.default_rng(split)
    signers = rng.permutation(np.unique(rows["signer"]))
    aside = np.isin(rows["signer"], signers[: round(0.3 * len(signers))])
    train, test = np.flatnonzero(~aside), np.flatnonzero(aside)
    labels = np.array(rows["label"]).astype(int)
    model = pretrained(options, f"signs-{split}", chosen(rows["image"], train), PRETRAIN, f"image.patch={PATCH}")
    torch.manual_seed(split)
    fresh = mw.Model(folder.build(model.modality, model.net.config).eval(), model.modality, model.about)
    arrays = [np.asarray(opened(p).convert("RGB")) for p in rows["image"]]
    pixels = raw(rows["image"])
    features = {
        "raw": pixels, "hog": gradients(rows["image"]), "frozen": model.embed(arrays), "random": fresh.embed(arrays),
        "pca": components(pixels[train], pixels)[1],
    }  # fmt: skip
    for name, share in (("tenth", 0.1), ("all", 1.0)):
        few = np.concatenate(
            [(own := rng.permutation(train[labels[train] == c]))[: round(share * len(own))] for c in range(10)]
        )
        for way in [way for way in WAYS if way not in out[name]]:
            if way in features:
                x = features[way]
                out[name][way] = probe(x[few], labels[few], x[test], labels[test])
            else:
                net, minutes = (model.net, FINE_TUNE) if way == "fine_tuned" else (fresh.net, SCRATCH)
                made = taught(net, model.modality, chosen(arrays, few), labels[few], minutes, RECIPES[name], split)
                out[name][way] = right(made, chosen(arrays, test), labels[test])
            write_whole(kept, json.dumps(out).encode())
    return out


def main() -> None:
    asked = parser(__doc__ or "")
    asked.add_argument("--splits", type=int, default=10)
    asked.add_argument("--only", type=int, help="one split alone, to be kept for later")
    options = asked.parse_args()
    rows = table(options, "sign_digits")
    if options.only is not None:
        print(json.dumps(one(options, rows, options.only)))
        return
    found = [one(options, rows, split) for split in range(options.splits)]
    out = []
    for share in ("tenth", "all"):
        ways = {way: np.array([split[share][way] for split in found]) for way in found[0][share]}
        row: dict[str, Any] = {"labels": share, "accuracy": {w: round(float(v.mean()), 4) for w, v in ways.items()}}
        for ours in ("fine_tuned", "frozen"):
            for way, values in ways.items():
                apart = ways[ours] - values
                if way != ours and len(apart) > 1:
                    half = stats.t.ppf(0.975, len(apart) - 1) * apart.std(ddof=1) / math.sqrt(len(apart))
                    row[f"{ours} - {way}"] = [round(float(apart.mean() + sign * half), 4) for sign in (0, -1, 1)]
        out.append(row)
    out.append({"splits": found})
    report(f"sign_digits by signer, {len(found)} splits: labels for a tenth and for all", out)


if __name__ == "__main__":
    main()
