"""The learning rate rises, stays and falls, and what makes no sense is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.errors import RecipeError
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
