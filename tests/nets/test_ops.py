"""What stands between matrix products is the same by the kernels and by torch, gradients included."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from unittest.mock import patch

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from maskwright.nets import native, ops

SIZES = st.tuples(st.integers(1, 70), st.integers(1, 9).map(lambda n: 8 * n))


@pytest.fixture(params=[True, False], ids=["kernels", "torch"], autouse=True)
def either(request: pytest.FixtureRequest) -> Iterator[None]:
    with native.using(request.param):
        yield


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype).requires_grad_()


def agree(ours: Callable[..., Tensor], reference: Callable[..., Tensor], *inputs: Tensor, close: float = 1e-5) -> None:
    """Values and gradients of both, in fp32 at the reference's side."""
    found, wide = ours(*inputs), [t.detach().float().requires_grad_() for t in inputs]
    expected = reference(*wide)
    torch.testing.assert_close(found.float(), expected, atol=close, rtol=close)
    weight = noise(*expected.shape, seed=9).detach()
    found = torch.autograd.grad((found.float() * weight).sum(), inputs)
    expected = torch.autograd.grad((expected * weight).sum(), wide)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a.float(), b, atol=close * float(b.abs().max()) + 1e-7, rtol=close)


PRECISIONS = [(torch.float32, 1e-5), (torch.bfloat16, 3e-2)]


def test_the_kernels_are_built_here() -> None:
    """Or these tests compare torch with itself: CI has a compiler."""
    assert native.library()[0] is not None, native.library()[1]


@pytest.mark.parametrize(("dtype", "close"), PRECISIONS)
@given(SIZES)
@settings(max_examples=10, deadline=None)
def test_gelu_with_its_bias(dtype: torch.dtype, close: float, size: tuple[int, int]) -> None:
    u = (noise(*size, dtype=dtype).detach() * 4).requires_grad_()
    agree(ops.gelu, lambda u, b: F.gelu(u + b), u, noise(size[1], seed=1), close=close)
    agree(lambda u: ops.gelu(u, None), F.gelu, u, close=close)


@pytest.mark.parametrize(("dtype", "close"), PRECISIONS)
@given(SIZES)
@settings(max_examples=10, deadline=None)
def test_norm_of_a_sum(dtype: torch.dtype, close: float, size: tuple[int, int]) -> None:
    x, a = noise(*size, dtype=dtype), noise(*size, seed=1, dtype=dtype)
    weight, shift = noise(size[1], seed=2), noise(size[1], seed=3)

    def both(x: Tensor, a: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return torch.cat(ops.add_norm(x, a, w, b, 1e-5))

    def plain(x: Tensor, a: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return torch.cat((x + a, F.layer_norm(x + a, w.shape, w, b, 1e-5)))

    agree(both, plain, x, a, weight, shift, close=close)
    agree(
        lambda x, w: ops.add_norm(x, None, w, None, 1e-5)[1],
        lambda x, w: F.layer_norm(x, w.shape, w, None, 1e-5),
        x, weight, close=close,
    )  # fmt: skip


@pytest.mark.parametrize(("dtype", "close"), PRECISIONS)
@given(SIZES)
@settings(max_examples=10, deadline=None)
def test_geglu(dtype: torch.dtype, close: float, size: tuple[int, int]) -> None:
    u = (noise(size[0], 2 * size[1], dtype=dtype).detach() * 4).requires_grad_()
    agree(ops.geglu, lambda u: F.gelu(u.chunk(2, -1)[0]) * u.chunk(2, -1)[1], u, close=close)


@given(SIZES)
@settings(max_examples=10, deadline=None)
def test_token_vectors(size: tuple[int, int]) -> None:
    table, weight = noise(11, size[1]), noise(size[1], seed=1)
    ids = torch.randint(0, 11, (size[0],), generator=torch.Generator().manual_seed(0))
    agree(
        lambda t, w: ops.embed_norm(t, ids, w, 1e-5, torch.float32),
        lambda t, w: F.layer_norm(t[ids], w.shape, w, None, 1e-5),
        table, weight,
    )  # fmt: skip


@pytest.mark.parametrize(("dtype", "close"), PRECISIONS)
@given(SIZES, st.sampled_from([3, 2048]))
@settings(max_examples=20, deadline=None)
def test_loss_over_a_vocabulary(dtype: torch.dtype, close: float, size: tuple[int, int], chunk: int) -> None:
    x, weight, bias = noise(size[0], size[1], dtype=dtype), noise(40, size[1], seed=1), noise(40, seed=2)
    target = torch.arange(size[0]) * 7 % 40
    with patch.object(ops, "CHUNK", chunk), patch.object(ops, "FP32_CHUNK", chunk):
        agree(
            lambda x, w, b: ops.choice_nll(x, w, b, target),
            lambda x, w, b: F.cross_entropy(x @ w.T + b, target, reduction="none"),
            x, weight, bias, close=close,
        )  # fmt: skip


def test_what_the_kernels_do_not_take_goes_to_torch() -> None:
    """Mixed precisions, parameters that are no fp32, transposed memory: right, or refused; never read past its end."""
    x, a = noise(6, 16).detach(), noise(6, 16, seed=1).detach()
    weight = noise(16, seed=2).detach()
    for one, two, w in (
        (x, a.bfloat16(), weight),
        (x.double(), a.double(), weight.double()),
        (x.T.contiguous().T, a, weight),
    ):
        found = ops.add_norm(one, two, w, None, 1e-5)[1].float()
        expected = F.layer_norm(x + a, (16,), weight, None, 1e-5)
        torch.testing.assert_close(found, expected, atol=3e-2, rtol=3e-2)
    with pytest.raises(IndexError):
        ops.choice_nll(x, noise(5, 16).detach(), torch.zeros(5), torch.tensor([0, 1, 2, 3, 4, -100]))
