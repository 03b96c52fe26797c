"""Kernels for GPUs do what torch does there; where there is no Triton, they say so and nothing else needs them."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import pytest
import torch

from maskwright.nets import native

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available() or not find_spec("triton"), reason="no CUDA device")


@pytest.mark.skipif(find_spec("triton") is not None, reason="Triton is here")
def test_without_triton_importing_them_says_why() -> None:
    with pytest.raises(ModuleNotFoundError, match="No module named 'triton'"):
        import_module("maskwright.nets.native.gpu")


def test_what_lies_on_a_cpu_never_asks_for_them() -> None:
    x = torch.ones(2, 3)
    assert native.serves(x, on=native.CPU) == native.found(torch.device("cpu"))[0]
    assert not native.serves(x, on=native.GPU)


@needs_gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("ff", [1, 96, 1500])
def test_a_gated_layer_is_torchs(ff: int, dtype: torch.dtype) -> None:
    gpu = import_module("maskwright.nets.native.gpu")
    u = torch.randn(37, 2 * ff, device="cuda", dtype=dtype, generator=torch.Generator("cuda").manual_seed(0))
    out = torch.empty(37, ff, device="cuda", dtype=dtype)
    gpu.geglu_forward(u, out, 37, ff)
    value, gate = u.float().chunk(2, dim=1)
    close = 1e-5 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(out.float(), torch.nn.functional.gelu(value) * gate, atol=close, rtol=close)


@needs_gpu
@pytest.mark.parametrize("size", [3, 5000])
def test_nats_over_a_vocabulary_are_torchs(size: int) -> None:
    gpu = import_module("maskwright.nets.native.gpu")
    generator = torch.Generator("cuda").manual_seed(0)
    logits = torch.randn(19, size, device="cuda", generator=generator)
    bias = torch.randn(size, device="cuda", generator=generator)
    target = torch.randint(0, size, (19,), device="cuda", generator=generator)
    lse, nll = torch.empty(2, 19, device="cuda")
    gpu.nll_forward(logits, bias, target, lse, nll, 19, size)
    wanted = torch.nn.functional.cross_entropy(logits + bias, target, reduction="none")
    torch.testing.assert_close(nll, wanted, atol=1e-4, rtol=1e-4)
