"""What the benchmarks share: corpora cut in two by document, models trained on one part, and how a figure is printed.

DATA/<corpus>.parquet has the columns `text` and `source`; documents whose hash falls in the last fifth are put aside as
`WORK/<corpus>.test.parquet`, which no training run sees. A model that isn't there yet is trained.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

import maskwright as mw

GROUPS = {"sgd_turns": "dialogue_id"}


@dataclass(frozen=True)
class Corpus:
    name: str
    train: Path
    test: Path
    model: Path
    group: str
    budget: str

    @property
    def seconds(self) -> Path:
        """What the command that trained the model took, from its start to its end."""
        return self.model.with_suffix(".seconds")

    def documents(self) -> list[list[str]]:
        """The texts put aside, those of one document together."""
        table = pq.read_table(self.test)
        out: dict[str, list[str]] = {}
        for text, group in zip(table["text"].to_pylist(), table[self.group].to_pylist(), strict=True):
            out.setdefault(group, []).append(text)
        return list(out.values())


def parser(doc: str, corpora: Sequence[str]) -> argparse.ArgumentParser:
    out = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    out.add_argument("--data", type=Path, required=True, help="folder of <corpus>.parquet")
    out.add_argument("--work", type=Path, required=True, help="where parts and models go, and are found again")
    out.add_argument("--corpora", default=",".join(corpora))
    out.add_argument("--budget", default="10m")
    return out


def corpora(options: argparse.Namespace) -> list[Corpus]:
    return [part(options.data, options.work, name, options.budget) for name in options.corpora.split(",")]


def part(data: Path, work: Path, name: str, budget: str) -> Corpus:
    """The two parts of a corpus, cut by the hash of the document."""
    work.mkdir(parents=True, exist_ok=True)
    corpus = Corpus(
        name, work / f"{name}.train.parquet", work / f"{name}.test.parquet", work / f"{name}-{budget}",
        GROUPS.get(name, "source"), budget,
    )  # fmt: skip
    if not corpus.test.exists():
        table = pq.read_table(data / f"{name}.parquet")
        table = table.select(["text", *sorted({"source", corpus.group})])
        aside = pa.array([hashlib.blake2b(g.encode()).digest()[0] % 5 == 4 for g in table[corpus.group].to_pylist()])
        pq.write_table(table.filter(aside), corpus.test)
        pq.write_table(table.filter(pa.compute.invert(aside)), corpus.train)
    return corpus


def model(corpus: Corpus, settings: Sequence[str] = ()) -> mw.Model:
    """The model of a corpus, trained by the command when it isn't there yet; its wall time is kept beside it."""
    if not corpus.seconds.exists():
        command = [sys.executable, "-m", "maskwright", "train", corpus.train, "--out", corpus.model, "--field", "text",
                   "--budget", corpus.budget, "--group", corpus.group]  # fmt: skip
        command += [word for setting in settings for word in ("--set", setting)]
        begun = time.monotonic()
        subprocess.run(command, check=True)
        corpus.seconds.write_text(str(time.monotonic() - begun))
    return mw.load(corpus.model)


def resampled(values: Sequence[np.ndarray[Any, Any]], statistic: Any, rounds: int = 2000) -> tuple[float, float]:
    """A 95% interval of `statistic(list of documents' values)`, documents resampled."""
    rng = np.random.default_rng(0)
    found = [statistic([values[i] for i in rng.integers(0, len(values), len(values))]) for _ in range(rounds)]
    return float(np.quantile(found, 0.025)), float(np.quantile(found, 0.975))


def report(claim: str, rows: list[dict[str, Any]]) -> None:
    """One JSON object: the claim, its figures, the machine and the version that they were taken on."""
    import torch

    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    machine = f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"
    print(json.dumps({"claim": claim, "rows": rows, "machine": machine, "torch": torch.__version__, "commit": commit}))
