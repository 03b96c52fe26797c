"""What the benchmarks on pictures share: tables of encoded pictures, plain features beside which ours are held, models.

IMAGES/<name>.parquet has a column `image` of encoded pictures, and what its rows are known by (`label`, `split`, ...).
Models train on one thread for so many minutes of it, so that figures mean CPU-minutes and two can be trained at once.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from skimage.feature import hog
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import maskwright as mw

Array = np.ndarray[Any, Any]


def parser(doc: str) -> argparse.ArgumentParser:
    out = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    out.add_argument("--images", type=Path, required=True, help="folder of tables of pictures")
    out.add_argument("--work", type=Path, required=True, help="where models go, and are found again")
    return out


def table(options: argparse.Namespace, name: str) -> dict[str, list[Any]]:
    options.work.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[Any]] = pq.read_table(options.images / f"{name}.parquet").to_pydict()
    return found


def chosen(values: Sequence[Any], index: Array) -> list[Any]:
    return [values[int(i)] for i in index]


def opened(encoded: bytes) -> Image.Image:
    return Image.open(io.BytesIO(encoded))


def pretrained(
    options: argparse.Namespace, name: str, pictures: Sequence[bytes], minutes: float, *settings: str
) -> mw.Model:
    """A model of these pictures, trained by the command on one thread unless it is there."""
    out, data = options.work / f"{name}-{minutes:g}m", options.work / f"{name}.parquet"
    if not (out / "maskwright.json").exists() or not json.loads((out / "maskwright.json").read_text())["finished"]:
        shutil.rmtree(out, ignore_errors=True)
        pq.write_table(pa.table({"image": pictures}), data)
        command = [sys.executable, "-m", "maskwright", "train", data, "--out", out, "--budget", f"{minutes * 60:.0f}s"]
        command += [word for setting in ("train.threads=1", *settings) for word in ("--set", setting)]
        subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    return mw.load(out)


# Plain features


def grey(pictures: Sequence[bytes], side: int = 48) -> Array:
    return np.stack([np.asarray(opened(p).convert("L").resize((side, side)), dtype=np.float64) / 255 for p in pictures])


def raw(pictures: Sequence[bytes]) -> Array:
    return grey(pictures).reshape(len(pictures), -1)


def colours(pictures: Sequence[bytes]) -> Array:
    """32 x 32 RGB."""
    small = [np.asarray(opened(p).convert("RGB").resize((32, 32)), dtype=np.float64) / 255 for p in pictures]
    return np.stack(small).reshape(len(pictures), -1)


def gradients(pictures: Sequence[bytes]) -> Array:
    """HOG: 8 x 8 cells, 9 bins (Dalal and Triggs, 2005)."""
    cells = {"orientations": 9, "pixels_per_cell": (8, 8), "cells_per_block": (2, 2)}
    return np.stack([hog(picture, **cells) for picture in grey(pictures)])


def histogram(pictures: Sequence[bytes]) -> Array:
    """Colours in 8 x 8 x 8 bins, square roots."""
    rows = []
    for picture in pictures:
        bins = np.asarray(opened(picture).convert("RGB")).reshape(-1, 3) // 32
        counts = np.bincount(bins @ np.array([64, 8, 1]), minlength=512)
        rows.append(np.sqrt(counts / counts.sum()))
    return np.stack(rows)


def components(train: Array, test: Array, count: int = 100) -> tuple[Array, Array]:
    """The first principal components of standardised features, from the training pictures."""
    fitted = make_pipeline(StandardScaler(), PCA(count, random_state=0)).fit(train)
    return fitted.transform(train), fitted.transform(test)


def probe(train: Array, labels: Sequence[Any], test: Array, truth: Sequence[Any]) -> float:
    """Accuracy of a logistic regression on standardised features, C = 0.1 as for every other."""
    fitted = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=3000)).fit(train, labels)
    return float(fitted.score(test, truth))
