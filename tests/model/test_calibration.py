"""What is promised is kept, or refused where too little was seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.errors import QueryError
from maskwright.model.calibration import Calibration


def test_a_promise_needs_slots() -> None:
    with pytest.raises(QueryError, match="can't be promised: calibration had 5 held-out slots"):
        Calibration(levels=[[0.0, 1.0]], slots=[5]).level(0.9, 1)
    with pytest.raises(QueryError, match="between 0 and 1"):
        Calibration(levels=[[0.0, 1.0]], slots=[5]).level(1.5, 1)
    with pytest.raises(QueryError, match="for 1 blanks in a record at the most, not 2"):
        Calibration(levels=[[0.0, 1.0]], slots=[5]).level(0.5, 2)


def test_levels_are_conformal_quantiles() -> None:
    """Drawn from the same distribution, a new value lies below the level at least as often as promised."""
    rng = np.random.default_rng(0)
    held = []
    for _ in range(400):
        values = np.sort(rng.exponential(size=99))
        made = Calibration(levels=[np.quantile(values, np.linspace(0, 1, 1001), method="higher").tolist()], slots=[99])
        held.append(rng.exponential() <= made.level(0.9, 1))
    assert np.mean(held) == pytest.approx(0.9, abs=0.04)


@given(st.lists(st.floats(0, 100, allow_subnormal=False), unique=True, max_size=300), st.floats(0.001, 0.999))
def test_a_threshold_is_exceeded_as_rarely_as_promised_or_needs_more_records(
    strangeness: list[float], false_alarms: float
) -> None:
    n = len(strangeness)
    calibration = Calibration(strangeness=sorted(strangeness), tokens=30.0)
    if (n + 1) * false_alarms < 1 - 1e-9:
        with pytest.raises(QueryError, match=f"time or data for {n} held-out records only") as error:
            calibration.threshold(false_alarms)
        assert error.value.option == "false_alarms"
    elif (n + 1) * false_alarms > 1 + 1e-9:  # a new record takes any rank among n + 1 with the same chance
        level = calibration.threshold(false_alarms)
        assert (sum(value > level for value in strangeness) + 1) / (n + 1) <= false_alarms * (1 + 1e-9)


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.integers(1, 3))
def test_the_more_is_promised_the_more_is_let_in(one: float, other: float, blanks: int) -> None:
    quantiles = np.sort(np.random.default_rng(blanks).exponential(size=(3, 101)), axis=1)
    calibration = Calibration(levels=quantiles.tolist(), slots=[1000] * 3, strangeness=quantiles[0].tolist())
    less, more = sorted((one, other))
    assert calibration.level(less, blanks) <= calibration.level(more, blanks) <= quantiles[blanks - 1, -1]
    assert calibration.threshold(less) >= calibration.threshold(more)


@given(st.floats(-50, -0.01), st.floats(0.25, 4), st.integers(2, 8))
def test_a_temperature_above_one_makes_completions_of_several_blanks_less_sure(
    log_prob: float, joint: float, blanks: int
) -> None:
    calibration = Calibration(joint=joint)
    assert calibration.completion(log_prob, 1) == log_prob
    assert (calibration.completion(log_prob, blanks) < log_prob) == (joint < 1)
    assert calibration.completion(log_prob, blanks) <= 0
