"""Two processes train the model that one would, in either way of sharing, and pick up each other's checkpoints."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
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


Shell = Callable[..., "subprocess.CompletedProcess[str]"]


def options(data: Path, out: Path, *more: str) -> list[str]:
    settings = [word for s in SETTINGS if data.is_file() or "tokenizer" not in s for word in ("--set", s)]
    return ["train", str(data), "--out", str(out), "--steps", "10", *settings, *more]


def by_torchrun(data: Path, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Two processes, as a user starts them."""
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "maskwright"]
    return subprocess.run([sys.executable, *launch, *options(data, out, *more)], capture_output=True, text=True)


def losses(out: Path) -> list[tuple[int, int, float]]:
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["tokens"], line["held_out"]["nats"]) for line in lines if "held_out" in line]


@pytest.fixture(scope="module")
def alone(corpus: Path, tmp_path_factory: pytest.TempPathFactory, run: Shell) -> Path:
    out = tmp_path_factory.mktemp("alone") / "m"
    done = run(*options(corpus, out))
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module", params=[[], ["--shard"]], ids=["ddp", "fsdp"])
def shared(request: pytest.FixtureRequest, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes made of it, in either way of sharing."""
    out = tmp_path_factory.mktemp("shared") / "m"
    done = by_torchrun(corpus, out, *request.param)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("calibrating") <= 1  # one of them speaks
    return out


def same(one: Path, two: Path) -> None:
    for (step, tokens, nats), other in zip(losses(one), losses(two), strict=True):
        assert other[:2] == (step, tokens)
        assert other[2] == pytest.approx(nats, abs=2e-3)
    ours, theirs = (load_file(out / "model.safetensors") for out in (one, two))
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert torch.nn.functional.cosine_similarity(ours[name].flatten(), theirs[name].flatten(), 0) > 0.999


def test_two_processes_train_what_one_does(alone: Path, shared: Path) -> None:
    same(alone, shared)
    assert [p.suffix for p in (shared / "checkpoints").glob("step*")] == [".safetensors"] * 2


def test_one_goes_on_where_two_stopped(corpus: Path, tmp_path: Path, alone: Path, shared: Path, run: Shell) -> None:
    out = tmp_path / "m"
    shutil.copytree(shared, out)
    for path in (out / "maskwright.json", *list((out / "checkpoints").glob("step-000000010*"))):
        path.unlink()  # as if it had been killed before its last step
    done = run(*options(corpus, out, "--resume"))
    assert done.returncode == 0, done.stderr
    assert "going on from step" in done.stderr
    same(alone, out)


@pytest.mark.parametrize("more", [[], pytest.param(["--shard"], marks=pytest.mark.slow)], ids=["ddp", "fsdp"])
def test_two_processes_train_on_pictures(photos: Path, tmp_path: Path, more: list[str], run: Shell) -> None:
    for done in (run(*options(photos, tmp_path / "1")), by_torchrun(photos, tmp_path / "2", *more)):
        assert done.returncode == 0, done.stderr
    same(tmp_path / "1", tmp_path / "2")
