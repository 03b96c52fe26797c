"""A small real corpus, and models trained on it once a session."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import maskwright as mw
from maskwright.cli.app import main
from maskwright.modalities.text.value import TEXT
from maskwright.records.read import records_of
from maskwright.records.record import Record
from maskwright.system.atomic_files import locked

ROOT = Path(__file__).parents[1]
TICKETS = ROOT / "docs" / "tickets" / "tickets.csv"
TINY = ("net.width=48", "net.layers=2", "net.heads=2", "net.ff=64", "net.length=32", "train.batch_tokens=1024",
        "train.look_tokens=3000", "tokenizer.size=768")  # fmt: skip


def text_records(given: object) -> list[Record]:
    """A text, or many, as records."""
    return list(records_of(given, TEXT))


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
    return once(
        tmp_path_factory, "tickets",
        lambda out: mw.train(corpus, out=out, steps=250, settings=(*TINY, "calibration.slots=400")),
    )  # fmt: skip


@pytest.fixture(scope="session")
def model(folder: Path) -> mw.Model:
    return mw.load(folder)


def once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that is made once a session, however many processes run tests: `make(folder)` must leave one there."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    home = shared / f"once-{name}"
    home.mkdir(exist_ok=True)
    with locked(home, patience=300):
        if not (home / "made").exists():
            make(home / name)
            (home / "made").touch()
    return home / name


@pytest.fixture(scope="session")
def run() -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command as a user runs it, but in this process: what is typed, what comes out, the exit code."""

    def call(*arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
        typed = [*map(str, arguments)]
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
        before, threads = (sys.stdin, sys.stdout, sys.stderr), torch.get_num_threads()
        sys.stdin, sys.stdout, sys.stderr = io.TextIOWrapper(io.BytesIO(stdin.encode())), out, err
        try:
            with warnings.catch_warnings():
                warnings.resetwarnings()  # as a process has them, not as these tests do
                code = main(typed)
        finally:
            sys.stdin, sys.stdout, sys.stderr = before
            torch.set_num_threads(threads)
        said = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]
        return subprocess.CompletedProcess(typed, code, *said)

    return call


def pytest_configure(config: pytest.Config) -> None:
    """Of several processes that run tests, each has its share of the cores, and so have the commands that it starts."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker and hasattr(os, "sched_setaffinity"):
        cores, count = sorted(os.sched_getaffinity(0)), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        own = cores[int(worker.removeprefix("gw")) :: count]
        os.sched_setaffinity(0, own or cores)
        os.environ["OMP_NUM_THREADS"] = str(max(len(own), 1))
        torch.set_num_threads(max(len(own), 1))
