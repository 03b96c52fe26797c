"""What a GPU trains and answers is what a CPU does; skipped where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import maskwright as mw
from maskwright.nets.attention import Layout, attend
from maskwright.nets.positions import angles
from tests.conftest import TINY

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.mark.parametrize("window", [0, 8, 64])
def test_flash_attention_is_attention_in_rows(window: int) -> None:
    lengths = [1, 17, 150, 600, 3]
    cu = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    qkv = torch.randn(int(cu[-1]), 3, 2, 32, generator=torch.Generator().manual_seed(0))
    turn = angles(torch.from_numpy(np.concatenate([np.arange(n) for n in lengths])), 32, 100.0)
    weight = torch.randn(int(cu[-1]), 64, generator=torch.Generator().manual_seed(1))
    found = []
    for reader, place, dtype in (("rows", "cpu", torch.float32), ("flash", "cuda", torch.bfloat16)):
        x = qkv.to(place, dtype).requires_grad_()
        out = attend(x, (turn[0].to(place), turn[1].to(place)), Layout.of(cu, reader, window, x.device), window)
        (grad,) = torch.autograd.grad((out.float() * weight.to(place)).sum(), x)
        found.append((out.float().cpu(), grad.float().cpu()))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(theirs, ours, atol=4e-2 * float(ours.abs().max()), rtol=4e-2)


def test_a_model_trained_on_a_gpu_answers_alike_on_a_cpu(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "m"
    mw.train(corpus, out=out, steps=60, device="cuda", settings=(*TINY, "calibration.slots=40"))
    here, there = mw.load(out, device="cpu"), mw.load(out, device="cuda")
    texts = ["My card stopped working.", "Where is my order?"]
    np.testing.assert_allclose(there.embed(texts), here.embed(texts), atol=1e-4)
    for ours, theirs in zip(here.score(texts), there.score(texts), strict=True):
        assert theirs.total == pytest.approx(ours.total, rel=1e-3)
