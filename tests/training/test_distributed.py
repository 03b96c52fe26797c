"""Two processes train the model that one would, in either way of sharing, and pick up each other's checkpoints."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file

from maskwright.training.distributed import ProcessGroup
from tests.conftest import TINY

SETTINGS = [*TINY, "train.dtype=float32", "calibration.slots=20", "train.look_every=5", "train.save_every=0",
            "train.keep_checkpoints=true"]  # fmt: skip


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30), st.integers(1, 5))
def test_the_parts_of_a_batch_are_the_batch(lengths: list[int], count: int) -> None:
    parts = [ProcessGroup(rank, count, count).part(np.array(lengths)) for rank in range(count)]
    assert [i for part in parts for i in range(len(lengths))[part]] == list(range(len(lengths)))
    loads = [sum(lengths[part]) for part in parts]
    assert max(loads) <= sum(lengths) / count + 2 * max(lengths)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of several sizes, whose nets have a decoder."""
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for number in range(120):
        y, x = np.indices(rng.integers(20, 60, 2))
        Image.fromarray((127 + 90 * np.sin(x / rng.uniform(3, 9) + y / 5)).astype(np.uint8)).save(folder / f"{number}.png")
    return folder


def train(corpus: Path, out: Path, processes: int, *more: str) -> subprocess.CompletedProcess[str]:
    launch = ["-m", "maskwright"]
    if processes > 1:
        launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", *launch]
    settings = [word for s in SETTINGS if corpus.is_file() or "tokenizer" not in s for word in ("--set", s)]
    command = [sys.executable, *launch, "train", str(corpus), "--out", str(out), "--steps", "10", *settings, *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def losses(out: Path) -> list[tuple[int, int, float]]:
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["tokens"], line["held_out"]["nats"]) for line in lines if "held_out" in line]


@pytest.fixture(scope="module")
def alone(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("alone") / "m"
    done = train(corpus, out, 1)
    assert done.returncode == 0, done.stderr
    return out


def same(one: Path, two: Path) -> None:
    for (step, tokens, nats), other in zip(losses(one), losses(two), strict=True):
        assert other[:2] == (step, tokens)
        assert other[2] == pytest.approx(nats, abs=2e-3)
    ours, theirs = (load_file(out / "model.safetensors") for out in (one, two))
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert torch.nn.functional.cosine_similarity(ours[name].flatten(), theirs[name].flatten(), 0) > 0.999


@pytest.mark.parametrize("more", [[], ["--shard"]], ids=["ddp", "fsdp"])
def test_two_processes_train_what_one_does(corpus: Path, tmp_path: Path, alone: Path, more: list[str]) -> None:
    done = train(corpus, tmp_path / "m", 2, *more)
    assert done.returncode == 0, done.stderr
    same(alone, tmp_path / "m")
    assert done.stderr.count("calibrating") <= 1  # one of them speaks
    assert [p.suffix for p in (tmp_path / "m" / "checkpoints").glob("step*")] == [".safetensors"] * 2


@pytest.mark.parametrize("more", [[], ["--shard"]], ids=["ddp", "fsdp"])
def test_two_processes_train_on_pictures(photos: Path, tmp_path: Path, more: list[str]) -> None:
    for processes in (1, 2):
        done = train(photos, tmp_path / str(processes), processes, *(more if processes > 1 else []))
        assert done.returncode == 0, done.stderr
    same(tmp_path / "1", tmp_path / "2")


def test_one_goes_on_where_two_stopped(corpus: Path, tmp_path: Path, alone: Path) -> None:
    out = tmp_path / "m"
    assert train(corpus, out, 2, "--shard").returncode == 0
    for path in (out / "maskwright.json", *list((out / "checkpoints").glob("step-000000010*"))):
        path.unlink()  # as if it had been killed before its last step
    done = train(corpus, out, 1, "--resume")
    assert done.returncode == 0, done.stderr
    assert "going on from step" in done.stderr
    same(alone, out)
