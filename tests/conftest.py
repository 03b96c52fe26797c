"""A small real corpus, and models trained on it once a session."""

from __future__ import annotations

import csv
import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import maskwright as mw

ROOT = Path(__file__).parents[1]
TICKETS = ROOT / "docs" / "tickets" / "tickets.csv"
TINY = ("net.width=48", "net.layers=2", "net.heads=2", "net.ff=64", "net.length=32", "train.batch_tokens=1024",
        "train.look_tokens=3000", "tokenizer.size=768")  # fmt: skip


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """In an order that has nothing to do with their topics."""
    with open(TICKETS, newline="") as file:
        found = [row["text"] for row in csv.DictReader(file)]
    return sorted(found, key=lambda text: hashlib.blake2b(text.encode()).digest())


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "tickets.txt"
    path.write_text("\n".join(" ".join(t.split()) for t in texts[:3000]), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Path:
    """A model of 250 steps: seconds of training, enough to know the commonest words."""
    out = tmp_path_factory.mktemp("models") / "tickets"
    mw.train(corpus, out=out, steps=250, settings=(*TINY, "calibration.slots=400"))
    return out


@pytest.fixture(scope="session")
def model(folder: Path) -> mw.Model:
    return mw.load(folder)


@pytest.fixture(scope="session")
def run() -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command, as a user runs it."""

    def call(*arguments: object, stdin: str | None = None, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "maskwright", *map(str, arguments)],
            input=stdin, capture_output=True, text=True, timeout=timeout,
        )  # fmt: skip

    return call
