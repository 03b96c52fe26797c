"""What a GPU trains and answers is what a CPU does; skipped where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import maskwright as mw
from maskwright.nets import native, ops
from maskwright.nets.attention import Layout, _turned, attend
from maskwright.nets.positions import angles
from tests.conftest import TINY

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.mark.parametrize("window", [0, 8, 64])
def test_flash_attention_is_attention_in_rows(window: int) -> None:
    lengths = [1, 17, 150, 600, 3]
    cu = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    qkv = torch.randn(int(cu[-1]), 3, 2, 32, generator=torch.Generator().manual_seed(0))
    turn = angles(torch.from_numpy(np.concatenate([np.arange(n) for n in lengths]))[:, None], 32, 100.0)
    weight = torch.randn(int(cu[-1]), 64, generator=torch.Generator().manual_seed(1))
    found = []
    for reader, place, dtype in (("rows", "cpu", torch.float32), ("flash", "cuda", torch.bfloat16)):
        x = qkv.to(place, dtype).requires_grad_()
        out = attend(x, (turn[0].to(place), turn[1].to(place)), Layout.of(cu, reader, window, x.device), window)
        (grad,) = torch.autograd.grad((out.float() * weight.to(place)).sum(), x)
        found.append((out.detach().float().cpu(), grad.float().cpu()))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(theirs, ours, atol=4e-2 * float(ours.abs().max()), rtol=4e-2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_kernels_do_what_torch_does(dtype: torch.dtype) -> None:
    """Values and gradients of a layer's passes on a GPU, beside those of torch's own operations in fp32."""
    generator = torch.Generator().manual_seed(0)
    rows, width, words = 37, 96, 5000
    x, a, u, q, f = (
        torch.randn(*shape, generator=generator)
        for shape in ((rows, width), (rows, width), (rows, 2 * width), (rows, 3, 4, 20), (rows, width))
    )
    weight, bias, table = (torch.randn(*s, generator=generator) for s in ((width,), (words,), (words, width)))
    turn = angles(torch.arange(rows)[:, None], 20, 100.0)
    target = torch.randint(0, words, (rows,), generator=generator)

    def outcome(place: str, kind: torch.dtype, kernels: bool) -> list[torch.Tensor]:
        own = [t.to(place, kind).requires_grad_() for t in (x, a, u, q, f)]
        given = [t.to(place).requires_grad_() for t in (weight, bias, table * 0.1)]
        with native.using(kernels):
            s, normed = ops.add_norm(own[0], own[1], given[0], None, 1e-5)
            turned = _turned(own[3], (turn[0].to(place), turn[1].to(place)))
            nll = ops.choice_nll(own[4], given[2], given[1], target.to(place))
            parts = [s, normed, ops.geglu(own[2]), turned, nll]
            sum((p.float() * (1 + torch.arange(p.shape[-1], device=place) % 3)).sum() for p in parts).backward()
        return [t.detach().float().cpu() for t in parts] + [t.grad.float().cpu() for t in (*own, *given)]

    for ours, theirs in zip(outcome("cuda", dtype, True), outcome("cpu", torch.float32, False), strict=True):
        close = 3e-2 if dtype == torch.bfloat16 else 1e-3
        torch.testing.assert_close(ours, theirs, atol=close * float(theirs.abs().max()), rtol=close)


def test_a_model_trained_on_a_gpu_answers_alike_on_a_cpu(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "m"
    mw.train(corpus, out=out, steps=60, device="cuda", settings=(*TINY, "calibration.slots=40"))
    here, there = mw.load(out, device="cpu"), mw.load(out, device="cuda")
    texts = ["My card stopped working.", "Where is my order?"]
    np.testing.assert_allclose(there.embed(texts), here.embed(texts), atol=1e-4)
    for ours, theirs in zip(here.score(texts), there.score(texts), strict=True):
        assert theirs.total == pytest.approx(ours.total, rel=1e-3)


def test_pictures_on_a_gpu_and_on_a_cpu(tmp_path: Path) -> None:
    """An encoder that reads what is shown, a decoder for the rest: trained there, the same answers here."""
    photos = [Image.fromarray(np.roll(np.indices((40, 56)).sum(0) * 3 % 256, k, 1).astype(np.uint8)) for k in range(80)]
    for number, photo in enumerate(photos):
        photo.save(tmp_path / f"{number}.png")
    out = tmp_path / "m"
    settings = [s for s in TINY if "tokenizer" not in s]
    mw.train(tmp_path, out=out, steps=60, device="cuda", settings=(*settings, "calibration.slots=40"))
    here, there = mw.load(out, device="cpu"), mw.load(out, device="cuda")
    np.testing.assert_allclose(there.embed(photos[:9]), here.embed(photos[:9]), atol=1e-3)
    for ours, theirs in zip(here.score(photos[:9]), there.score(photos[:9]), strict=True):
        assert theirs.total == pytest.approx(ours.total, rel=1e-2)
    hole = np.zeros((40, 56), dtype=bool)
    hole[8:24, 8:30] = True
    ours, theirs = (m.fill(photos[0], mask=hole).value.pixels.astype(int) for m in (here, there))
    assert np.abs(ours - theirs).max() <= 2
    assert len(there.fill(photos[0], mask=hole, draws=2).completions) == 2
