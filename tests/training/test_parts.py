"""Schedule, optimiser, order of the data: what each promises."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.errors import RecipeError, RunError
from maskwright.modalities.text.modality import TextModality
from maskwright.records.read import records_of
from maskwright.records.shards import Shards, Writer
from maskwright.tokens import grid
from maskwright.tokens.masking import MaskConfig
from maskwright.training import checkpoint
from maskwright.training.batches import Ahead, Order, by_tokens, cut
from maskwright.training.distributed import ProcessGroup
from maskwright.training.loop import Loop
from maskwright.training.optimiser import orthogonal
from maskwright.training.schedule import TrainConfig, decay, rate


@given(st.integers(1, 500), st.integers(0, 400))
def test_the_rate_rises_stays_and_falls_to_nothing(steps: int, fall: int) -> None:
    config = TrainConfig(steps=steps, decay_from=min(fall, steps), warmup=10)
    rates = [rate(config, step) for step in range(steps)]
    assert all(0 <= r <= config.lr for r in rates)
    assert all(
        a >= b - 1e-12
        for a, b in zip(rates[max(10, config.decay_from) :], rates[max(10, config.decay_from) + 1 :], strict=False)
    )
    assert decay(config, steps) == pytest.approx(0.0) or config.decay_from == steps


def test_a_longer_run_is_the_same_run_until_it_decays() -> None:
    short, long = TrainConfig(steps=100, decay_from=50), TrainConfig(steps=1000, decay_from=500)
    assert [rate(short, s) for s in range(50)] == [rate(long, s) for s in range(50)]


@pytest.mark.parametrize(("key", "value"), [("steps", 0), ("lr", 0.0), ("dtype", "int8"), ("held_out", 1.0)])
def test_choices_that_make_no_sense(key: str, value: object) -> None:
    with pytest.raises(RecipeError, match=f"train.{key}" if key in ("dtype", "held_out") else key):
        TrainConfig(**{key: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(3, 20, 20), (2, 16, 40), (2, 40, 16)])
def test_orthogonal_makes_singular_values_of_one(shape: tuple[int, ...]) -> None:
    turned = orthogonal(torch.randn(shape, generator=torch.Generator().manual_seed(0)))
    values = torch.linalg.svdvals(turned)
    assert values.min() > 0.3
    assert values.max() < 1.4


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@given(values=st.lists(st.floats(0.0, 1.0), min_size=8, max_size=8))
@settings(deadline=None, max_examples=60)
def test_orthogonal_never_explodes(dtype: torch.dtype, values: list[float]) -> None:
    """Rounding lifts some singular values over the edge of a polynomial's range: the next one must bear that."""
    noise = torch.Generator().manual_seed(0)
    left, right = (torch.linalg.qr(torch.randn(n, n, generator=noise)).Q for n in (8, 24))
    made = left @ torch.diag(torch.tensor([1.0, 0.376, 0.75, *values[:5]])) @ right[:8]
    turned = orthogonal(made[None].to(dtype)).float()
    assert torch.linalg.svdvals(turned).max() < 1.5


@given(
    st.one_of(
        st.lists(st.tuples(st.integers(0, 100)), min_size=1, max_size=20),
        st.lists(st.tuples(st.integers(1, 20), st.integers(1, 20)), min_size=1, max_size=8),
    ),
    st.integers(5, 40),
    st.floats(0, 0.99),
)
def test_pieces_cover_every_record_once(extents: list[tuple[int, ...]], most: int, shift: float) -> None:
    shapes = np.array(extents)
    pieces = cut(np.arange(len(shapes)), shapes, most, np.full(shapes.shape, shift))
    assert pieces.length.max() <= most
    for record, shape in enumerate(extents):
        mine = pieces[pieces.record == record]
        own = np.tile(shape, (len(mine.record), 1))
        covered = grid.cells(np.zeros(len(own), dtype=np.int64), own, mine.start, mine.size)
        assert sorted(covered) == list(range(int(np.prod(shape))))


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(1, 60))
def test_batches_by_tokens(lengths: list[int], most: int) -> None:
    parts = list(by_tokens(np.array(lengths, dtype=np.int64), most))
    assert [i for part in parts for i in range(part.start, part.stop)] == list(range(len(lengths)))
    assert all(sum(lengths[p]) <= most or p.stop - p.start == 1 for p in parts)


@pytest.fixture(scope="module")
def order(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Order:
    records = records_of([*texts[:300], " ".join(texts[300:500])])
    modality = TextModality()
    modality.fit(records, 20_000)
    writer = Writer(tmp_path_factory.mktemp("shards"), modality.columns)
    for record, cut_ in zip(records, modality.tokenise(records), strict=True):
        writer.add(cut_.columns, cut_.shape, key=record.key, fold=record.key, group=record.key, size=modality.size(record))
    writer.close()
    shards = Shards(writer.folder)
    return Order(modality, shards, np.arange(len(shards)), 32, TrainConfig(batch_tokens=400), MaskConfig(), ProcessGroup())


def test_an_epoch_sees_every_token_once(order: Order) -> None:
    seen: list[tuple[int, int]] = []
    step = 0
    while order.epochs(step) < 1:
        pieces = order.pieces(step)
        for record, (start,), (length,) in zip(pieces.record, pieces.start, pieces.size, strict=True):
            seen += [(int(record), t) for t in range(start, start + length)]
        step += 1
    assert len(seen) == len(set(seen)) == order.shards.lengths.sum()
    assert step > 10


def test_a_step_is_a_pure_function_of_its_number(order: Order) -> None:
    config = TrainConfig(batch_tokens=400)
    fresh = Order(order.modality, order.shards, order.records, 32, config, order.mask, ProcessGroup())
    last = int(1.5 / order.epochs(1))
    for step in (last, 0, 7, last):
        (a, mask_a, _), (b, mask_b, _) = order(step, config), fresh(step, config)
        assert np.array_equal(a.values["id"], b.values["id"])
        assert np.array_equal(mask_a.hidden, mask_b.hidden)


def test_what_is_prepared_ahead_is_what_would_be_made(order: Order) -> None:
    config = TrainConfig(batch_tokens=400, steps=10, decay_from=3)
    ahead = Ahead(order)
    try:
        for step in range(10):
            assert np.array_equal(ahead(step, config)[1].hidden, order(step, config)[1].hidden)
    finally:
        ahead.close()


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


@pytest.mark.parametrize(("scale", "noise"), [(3.0, 0.3), (1300.0, 130.0), (17.0, 6.0)])
def test_a_loss_that_wavers_is_not_called_diverging_and_one_that_climbs_is(scale: float, noise: float) -> None:
    loop = Loop.__new__(Loop)
    loop.recent = []
    rng = np.random.default_rng(0)
    assert not any(loop._diverges(float(loss)) for loss in scale + noise * rng.normal(size=4000))
    assert any(loop._diverges(scale * (1 + 0.01 * step) + 3.0) for step in range(200))
