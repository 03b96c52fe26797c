"""The ragged encoder computes each record by itself, however it is laid out."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from maskwright.nets.attention import Layout, attend
from maskwright.nets.masked import MaskedNet
from maskwright.nets.positions import angles, rotate
from maskwright.tokens import Batch
from tests.nets.small import batch, net, record


def naive(qkv: torch.Tensor, cu: np.ndarray, window: int) -> torch.Tensor:
    """(T, 3, H, D): attention record by record, with loops."""
    out = torch.empty(len(qkv), qkv.shape[2] * qkv.shape[3])
    for a, b in pairwise(cu):
        q, k, v = qkv[a:b].permute(1, 2, 0, 3)
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        if window:
            i = torch.arange(b - a)
            scores = scores.masked_fill((i[:, None] - i).abs() > window // 2, -torch.inf)
        out[a:b] = (scores.softmax(-1) @ v).transpose(0, 1).reshape(b - a, -1)
    return out


SHORT, LONG = st.one_of(st.integers(1, 150), st.integers(250, 600)), st.integers(2000, 2100)
"""lengths of records on both sides of what the kernels take, in either precision"""
WINDOWS, DEPTHS = st.sampled_from([0, 8, 64]), st.sampled_from([16, 32, 64, 96])
BFLOAT16 = (torch.bfloat16, 4e-2)
BOTH = [(torch.float32, 2e-5), BFLOAT16]


@pytest.mark.parametrize(("dtype", "close"), BOTH)
@pytest.mark.parametrize("reader", ["native", "rows"])
@given(lengths=st.lists(SHORT, min_size=1, max_size=4), window=WINDOWS, depth=DEPTHS)
@settings(max_examples=20, deadline=None)
def test_laid_out_attention_is_attention(
    dtype: torch.dtype, close: float, reader: str, lengths: list[int], window: int, depth: int
) -> None:
    check_laid_out(dtype, close, reader, lengths, window, depth)


# Chips without bfloat16 take a minute for twenty of these: there the first of them has to do where time is short.
@pytest.mark.parametrize(
    ("dtype", "close"), [(torch.float32, 2e-5), pytest.param(*BFLOAT16, marks=pytest.mark.slow)], ids=["float32", "bfloat16"]
)
@pytest.mark.parametrize("reader", ["native", "rows"])
@given(lengths=st.tuples(SHORT, LONG, SHORT).map(list), window=WINDOWS, depth=DEPTHS)
@example(lengths=[2048, 30, 2100, 400], window=64, depth=32)
@settings(max_examples=8, deadline=None)
def test_long_records_are_laid_out_too(
    dtype: torch.dtype, close: float, reader: str, lengths: list[int], window: int, depth: int
) -> None:
    check_laid_out(dtype, close, reader, lengths, window, depth)


@pytest.mark.parametrize("reader", ["native", "rows"])
def test_a_long_record_is_laid_out_in_half_precision(reader: str) -> None:
    check_laid_out(*BFLOAT16, reader, [70, 2050, 300], 64, 16)


def check_laid_out(dtype: torch.dtype, close: float, reader: str, lengths: list[int], window: int, depth: int) -> None:
    """Attention by this layout is plain attention, forward and back."""
    cu = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    tokens = int(cu[-1])
    noise = torch.Generator().manual_seed(0)
    qkv = torch.randn(tokens, 3, 2, depth, generator=noise).to(dtype).requires_grad_()
    positions = torch.from_numpy(np.arange(tokens) - np.repeat(cu[:-1], lengths))
    turn = angles(positions[:, None], depth, 100.0)
    weight = torch.randn(tokens, 2 * depth, generator=noise)
    found = attend(qkv, turn, Layout.of(cu, reader, window, dtype=dtype), window).float()
    wide = qkv.detach().float().requires_grad_()
    expected = naive(torch.cat((rotate(wide[:, :2], *turn), wide[:, 2:]), dim=1), cu, window)
    torch.testing.assert_close(found, expected, atol=close, rtol=close)
    ours, theirs = (torch.autograd.grad((out * weight).sum(), of)[0].float() for out, of in ((found, qkv), (expected, wide)))
    torch.testing.assert_close(ours, theirs, atol=close * float(theirs.abs().max()), rtol=close)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("short", [3, 20, 37, 50, 145])
def test_a_record_that_is_no_number_spoils_no_other(dtype: torch.dtype, short: int) -> None:
    """Forward and back, by the kernels, whose rooms serve one record after the other."""
    clean = torch.randn(short, 3, 2, 64, generator=torch.Generator().manual_seed(0)).to(dtype)
    broken = torch.full((200, 3, 2, 64), torch.nan, dtype=dtype)
    found = []
    for parts in ((clean,), (broken, clean)):
        qkv = torch.cat(parts).requires_grad_()
        cu = np.cumsum([0, *map(len, parts)]).astype(np.int64)
        out = attend(qkv, None, Layout.of(cu, "native", dtype=dtype), 0)[-short:]
        found.append((out.detach(), torch.autograd.grad(out.float().square().sum(), qkv)[0][-short:]))
    for alone, beside in zip(*found, strict=True):
        assert torch.equal(alone, beside)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("window", [0, 8, 64])
@pytest.mark.parametrize("reader", ["native", "rows"])
def test_scores_far_apart_still_give_a_mean_of_what_may_be_read(dtype: torch.dtype, window: int, reader: str) -> None:
    cu = np.array([0, 5, 68, 300, 301], dtype=np.int64)
    qkv = torch.randn(301, 3, 2, 32, generator=torch.Generator().manual_seed(0))
    qkv[:, :2] *= 100
    found = attend(qkv.to(dtype), None, Layout.of(cu, reader, window, dtype=dtype), window).float().view(301, 2, 32)
    for a, b in pairwise(cu):
        for i in range(a, b):
            near = slice(max(a, i - window // 2), min(b, i + window // 2 + 1)) if window else slice(a, b)
            values = qkv[near, 2]
            assert (found[i] <= values.amax(0) + 0.03).all()
            assert (found[i] >= values.amin(0) - 0.03).all()


@given(st.lists(st.integers(1, 300), min_size=20, max_size=200))
@settings(max_examples=20, deadline=None)
def test_rows_are_well_filled(lengths: list[int]) -> None:
    layout = Layout.of(np.concatenate([[0], np.cumsum(lengths)]), reader="rows")
    for rows in layout.rows:
        used = (rows.segment >= 0).sum().item()
        assert used > 0.5 * rows.count * rows.length or rows.count == 1


@torch.no_grad()
def answers(made: MaskedNet, of: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    hidden = np.zeros(len(of), dtype=bool)
    at = of.cu_seqlens[:-1] + of.lengths // 2
    hidden[at] = True
    return made.states(of, hidden), made(of, hidden, at).logits()  # type: ignore[attr-defined]


LENGTHS = (5, 30, 31, 33, 64, 100, 7, 12)


def test_no_record_sees_anothers_content() -> None:
    made = net()
    records = [record(n, seed) for seed, n in enumerate(LENGTHS)]
    before = answers(made, batch(*records))
    cu = batch(*records).cu_seqlens
    for changed in range(len(records)):
        others = [
            record(n, 100 + seed) if seed == changed else r for seed, (n, r) in enumerate(zip(LENGTHS, records, strict=True))
        ]
        after = answers(made, batch(*others))
        mine = np.zeros(cu[-1], dtype=bool)
        mine[cu[changed] : cu[changed + 1]] = True
        assert torch.equal(before[0][~mine], after[0][~mine])
        assert not torch.equal(before[0][mine], after[0][mine])
        keep = [i for i in range(len(records)) if i != changed]
        assert torch.equal(before[1][keep], after[1][keep])


@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-5), (torch.bfloat16, 1e-2)])
def test_company_moves_a_record_by_float_noise_only(dtype: torch.dtype, close: float) -> None:
    made = net(dtype)
    records = [record(n, seed) for seed, n in enumerate(LENGTHS)]
    whole = answers(made, batch(*records))
    cu = batch(*records).cu_seqlens
    for number, one in enumerate(records):
        alone = answers(made, batch(one))
        mean = lambda states: torch.nn.functional.normalize(states.float().mean(0), dim=0)  # noqa: E731
        together = mean(whole[0][cu[number] : cu[number + 1]])
        assert (together - mean(alone[0])).abs().max() < close


@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-5), (torch.bfloat16, 1e-3)])
@torch.no_grad()
def test_company_moves_a_total_of_nats_by_float_noise_only(dtype: torch.dtype, close: float) -> None:
    made = net(dtype)
    records = [record(n, seed) for seed, n in enumerate(LENGTHS)]

    def totals(of: Batch) -> list[float]:
        at = np.arange(len(of))
        nll = made(of, at % 3 == 0, at).nll({"id": of.values["id"]}).double()
        return [float(part.sum()) for part in nll.split(of.lengths.tolist())]

    # What is hidden must not depend on company either: every record begins at a multiple of three here.
    sizes = [n - n % 3 for n in LENGTHS]
    records = [r.take(slice(0, n)) for r, n in zip(records, sizes, strict=True)]
    whole = batch(*records)
    for one, together in zip(records, totals(whole), strict=True):
        assert totals(batch(one))[0] == pytest.approx(together, rel=close)


def test_gradients_stay_inside_the_record() -> None:
    made = net()
    made.inputs.tok_embeddings.weight.requires_grad_(True)
    a, b = record(20, 1), record(25, 2)
    ids = batch(a, b)
    states = made.states(ids, np.zeros(len(ids), dtype=bool))
    made.zero_grad()
    states[:20].sum().backward()
    touched = made.inputs.tok_embeddings.weight.grad.abs().sum(1) > 0
    assert set(torch.nonzero(touched)[:, 0].tolist()) <= set(a.values["id"].tolist())
