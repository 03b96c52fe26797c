"""A checkpoint is whole or not there, and fits the net that it is loaded into."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.errors import RunError
from maskwright.training import checkpoint


def test_the_newest_whole_checkpoint_is_taken(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        checkpoint.write(tmp_path, step, {"a": torch.full((3,), float(step))}, {"step": step})
    assert len(list(tmp_path.iterdir())) == checkpoint.KEPT
    newest = tmp_path / "step-000000003.safetensors"
    newest.write_bytes(newest.read_bytes()[:50])
    tensors, facts = checkpoint.latest(tmp_path) or ({}, {})
    assert facts["step"] == 2
    assert tensors["a"].tolist() == [2.0, 2.0, 2.0]


def test_a_full_disk_leaves_the_former_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    checkpoint.write(tmp_path, 1, {"a": torch.ones(3)}, {"step": 1})

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="can't save a checkpoint: No space left on device; the one before it is whole"):
        checkpoint.write(tmp_path, 2, {"a": torch.ones(3)}, {"step": 2})
    monkeypatch.undo()
    assert [p.name for p in tmp_path.iterdir()] == ["step-000000001.safetensors"]
    found = checkpoint.latest(tmp_path)
    assert found is not None
    assert found[1]["step"] == 1


def test_another_architecture_is_named() -> None:
    with pytest.raises(RunError, match="of another architecture: w is 2x3, the recipe makes it 3x3"):
        checkpoint.load_into({"w": torch.zeros(3, 3)}, {"w": torch.zeros(2, 3)}, "here")
    with pytest.raises(RunError, match="of another architecture: deeper is 3, the recipe makes it none"):
        checkpoint.load_into({"w": torch.zeros(3)}, {"w": torch.zeros(3), "deeper": torch.zeros(3)}, "here")


def test_where_there_is_no_checkpoint_a_run_begins_and_where_none_is_whole_it_says_so(tmp_path: Path) -> None:
    assert checkpoint.latest(tmp_path) is None
    for step in (1, 2):
        checkpoint.write(tmp_path, step, {"a": torch.ones(3)}, {"step": step}).write_bytes(b"cut short")
    with pytest.raises(RunError, match="no checkpoint there can be read; remove the folder to begin again"):
        checkpoint.latest(tmp_path)


@given(st.sampled_from([torch.float32, torch.bfloat16, torch.int64]), st.lists(st.integers(0, 3), max_size=3))
@settings(deadline=None, max_examples=20)
def test_what_is_saved_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, dtype: torch.dtype, shape: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("checkpoints") / "made"
    tensors = {"a": torch.arange(60).reshape(3, 20).T.to(dtype), "b.c": torch.zeros(shape, dtype=dtype)}
    facts = {"state": {"step": 7, "best": 0.1, "last": None}, "recent": [0.1, 1e300]}
    checkpoint.write(folder, 7, tensors, facts)
    found, said = checkpoint.latest(folder) or ({}, {})
    assert said == facts
    assert {name: (t.dtype, t.shape) for name, t in found.items()} == {n: (t.dtype, t.shape) for n, t in tensors.items()}
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
