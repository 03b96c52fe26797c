"""The loop notices what goes wrong, stops where it is asked to, and goes on as if nothing had happened."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.errors import Interrupted, RunError
from maskwright.modalities.text.modality import TextModality
from maskwright.model import folder
from maskwright.records.shards import Shards
from maskwright.tokens.masking import MaskConfig
from maskwright.training import checkpoint
from maskwright.training.batches import Order
from maskwright.training.distributed import ProcessGroup
from maskwright.training.loop import Hooks, Loop, Pace
from maskwright.training.schedule import TrainConfig
from maskwright.training.validation import validation_set
from tests.training.conftest import LITTLE

CONFIG = TrainConfig(steps=6, decay_from=3, warmup=2, batch_tokens=400, look_every=2, save_every=1e6)
Made = Callable[..., Loop]


@pytest.mark.parametrize(("scale", "noise"), [(3.0, 0.3), (1300.0, 130.0), (17.0, 6.0)])
def test_a_loss_that_wavers_is_not_called_diverging_and_one_that_climbs_is(scale: float, noise: float) -> None:
    loop = Loop.__new__(Loop)
    loop.recent = []
    rng = np.random.default_rng(0)
    assert not any(loop._diverges(float(loss)) for loss in scale + noise * rng.normal(size=4000))
    assert any(loop._diverges(scale * (1 + 0.01 * step) + 3.0) for step in range(200))


@pytest.fixture
def made(cut_texts: tuple[TextModality, Shards], tmp_path: Path) -> Made:
    """A loop of a few steps; `at`: the step after which the user wants to stop."""
    modality, shards = cut_texts
    look = np.arange(0, len(shards), 5)
    train = np.setdiff1d(np.arange(len(shards)), look)
    held = validation_set(modality, shards, train, look, 32, 2000, seed=0)

    def make(config: TrainConfig = CONFIG, at: int = -1, pace: Pace | None = None) -> Loop:
        torch.manual_seed(0)
        net = folder.build(modality, LITTLE)
        order = Order(modality, shards, train, 32, config, MaskConfig(), ProcessGroup())
        hooks = Hooks(lambda line: 0, lambda seen, step: None, lambda config: None, lambda: loop.state.step == at)
        loop = Loop(net, order, held, config, hooks, tmp_path / "checkpoints", pace, ProcessGroup())
        return loop

    return make


@pytest.mark.parametrize("at", [1, 4])
def test_stopped_anywhere_it_has_saved_and_goes_on_to_the_same_weights(made: Made, at: int) -> None:
    stopped, again, whole = made(at=at), made(), made()
    with pytest.raises(Interrupted, match=rf"^stopped at step {at} of 6, and saved; go on with .* resume=True$"):
        stopped.run()
    again.load(*(checkpoint.latest(stopped.folder) or pytest.fail("nothing was saved")))
    assert again.state.step == at
    there, end = again.run(), whole.run()
    assert (there.step, there.tokens, there.best, there.best_step) == (6, end.tokens, end.best, end.best_step)
    weights = again.weights()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in whole.weights().items())


def test_the_net_is_put_away_at_its_best_look_and_lines_tell_of_all_looks(made: Made) -> None:
    loop, lines, kept = made(), [], []
    loop.hooks.line = lambda line: lines.append(line) or len(lines)
    loop.hooks.keep = lambda seen, step: kept.append((step, seen.nats))
    state = loop.run()
    looks = [(line["step"], line["held_out"]["nats"]) for line in lines if "held_out" in line]
    assert [step for step, _ in looks] == [2, 4, 6]
    best = min(looks, key=lambda look: look[1])
    assert kept[-1] == best == (state.best_step, state.best)
    assert set(kept) <= set(looks)
    assert state.lines == len(lines)


def test_a_loss_that_is_no_number_names_records_of_that_step(made: Made) -> None:
    loop = made()
    with torch.no_grad():
        loop.net.head.bias.fill_(float("nan"))
    with pytest.raises(RunError, match=r"the loss is not a number at step 0 \(nan\); none were kept yet\. Worst") as error:
        loop.run()
    named = str(error.value).split("that step: ")[1].split(". Look")[0].split(", ")
    of = {f"{loop.order.shards.keys[record]:016x}" for record in loop.order.pieces(0).record}
    assert len(named) == 5
    assert set(named) <= of


@given(st.integers(3, 10**6), st.floats(1e-3, 10.0))
@settings(deadline=None)
def test_the_clock_settles_the_end_of_a_run_once_its_last_part_has_begun(step: int, seconds_a_step: float) -> None:
    begun = time.monotonic()
    assert Pace(begun, 1e6, 0.3).settle(CONFIG, step, seconds_a_step) is None
    late = Pace(begun - 0.9e6, 1e6, 0.3).settle(CONFIG, step, seconds_a_step)
    assert late is not None
    assert late.decay_from == step
    assert (late.steps - step) * seconds_a_step == pytest.approx(1e5, rel=0.01)
    over = Pace(begun - 2e6, 1e6, 0.3)  # even too late a run ends with a step at the least
    assert over.settle(CONFIG, step, seconds_a_step) == TrainConfig(**vars(CONFIG) | {"decay_from": step, "steps": step + 1})
    assert over.looks(step, seconds_a_step) == max(step // 12, 1)
