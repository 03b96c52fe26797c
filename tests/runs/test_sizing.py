"""Budgets are understood, and buy a net, a batch and steps that go with the corpus and the machine."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.errors import ModelError, RecipeError
from maskwright.modalities.base import Modality
from maskwright.modalities.detect import modality
from maskwright.runs.sizing import CLOSE, LAPTOP, REACH, Choice, Length, Place, choose, nets, reach, schedule, seconds
from maskwright.training.cost_model import Speed
from maskwright.training.schedule import TrainConfig


def test_a_width_alone_brings_heads_that_divide_it() -> None:
    (net,) = nets({"net.width": 320}, 128, modality("text"))
    assert (net.width, net.heads, net.ff, net.length) == (320, 5, 480, 128)
    (net,) = nets({"net.width": 96, "net.heads": 3, "net.length": 64}, 128, modality("text"))
    assert (net.heads, net.ff, net.length) == (3, 144, 64)
    for width in range(8, 1200, 2):
        (net,) = nets({"net.width": width}, 128, modality("text"))
        assert width % net.heads == 0
        assert (width // net.heads) % 2 == 0


def test_heads_alone_leave_the_widths_that_they_divide() -> None:
    assert {net.width for net in nets({"net.heads": 5}, 128, modality("text"))} == {320, 640}
    with pytest.raises(RecipeError, match="even multiple"):
        nets({"net.heads": 7}, 128, modality("text"))


@pytest.mark.parametrize(("budget", "value"), [("90s", 90), ("10m", 600), ("1.5h", 5400), ("10 min", 600), ("1d", 86400)])
def test_budgets(budget: str, value: float) -> None:
    assert seconds(budget) == value


@pytest.mark.parametrize("budget", ["", "0", "soon", "-5m", "10", "5s", "m", "1e3s"])
def test_budgets_that_make_no_sense(budget: str) -> None:
    with pytest.raises(RecipeError, match="budget"):
        seconds(budget)


@pytest.fixture(scope="module")
def text(folder: Path) -> Modality:
    made = modality("text")
    made.load(folder)
    return made


RECORDS = np.full(10_000, 60)


SLOW, FAST = Speed(0.05e12, 130e-9), Speed(1e15, 1e-12)


def chosen(text: Modality, length: Length, speed: Speed = LAPTOP) -> Choice:
    return choose(length, {}, None, text, RECORDS, lambda likely: speed, Place())


def test_more_time_and_faster_machines_never_buy_a_smaller_net(text: Modality) -> None:
    budgets = (15, 30, 120, 600, 3600, 36000, 360000)
    for speed in (SLOW, LAPTOP, FAST):
        found = [chosen(text, Length(float(budget)), speed) for budget in budgets]
        widths = [choice.net.width for choice in found]
        assert widths == sorted(widths)
        assert all(later.loss <= CLOSE * earlier.loss for earlier, later in pairwise(found))
        assert all(schedule(Length(steps=40), choice, TrainConfig()).look_every == 3 for choice in found)
    for budget in budgets:
        slow, laptop, fast = (chosen(text, Length(float(budget)), speed) for speed in (SLOW, LAPTOP, FAST))
        assert slow.net.width <= laptop.net.width <= fast.net.width
        assert slow.tokens < laptop.tokens < fast.tokens


def test_steps_and_tokens_ask_no_clock(text: Modality) -> None:
    length = Length(steps=500)

    def probe(likely: Choice) -> Speed:
        raise AssertionError("a clock was asked")

    choice = choose(length, {}, None, text, RECORDS, probe, Place(processes=2))
    config = TrainConfig(batch_tokens=choice.batch_tokens)
    assert choice == choose(length, {}, None, text, RECORDS, probe, Place(processes=1))
    assert choice.net.width <= 256
    assert schedule(length, choice, config).steps == 500
    assert schedule(Length(tokens=10 * config.batch_tokens), choice, config).steps == 10


def test_a_small_corpus_gets_no_large_net(text: Modality) -> None:
    for tokens, most in ((5_000, 128), (100_000, 256)):
        records = np.full(tokens // 50, 50)
        choice = choose(Length(3600.0), {}, None, text, records, lambda likely: LAPTOP, Place())
        assert choice.net.width <= most


def test_what_does_not_fit_into_memory_is_not_chosen(text: Modality) -> None:
    length = Length(360_000.0)
    free = choose(length, {}, None, text, RECORDS, lambda likely: LAPTOP, Place())
    tight = choose(length, {}, None, text, RECORDS, lambda likely: LAPTOP, Place(memory=free.work.memory(4) * 0.7))
    assert tight.net.width < free.net.width
    least = choose(length, {}, None, text, RECORDS, lambda likely: LAPTOP, Place(memory=1.0))
    assert least.net.width == nets({}, 128, modality("text"))[0].width


def test_a_given_batch_is_what_is_planned_with(text: Modality) -> None:
    for length in (Length(60.0, batch_tokens=512), Length(steps=100, batch_tokens=512)):
        choice = chosen(text, length)
        assert choice.batch_tokens == choice.work.batch_tokens == 512
    few, many = (chosen(text, Length(steps=1000, batch_tokens=size)) for size in (512, 65_536))
    assert few.net.width < many.net.width
    assert few.net.length <= many.net.length


def test_a_shape_that_no_tool_could_open_is_refused(text: Modality) -> None:
    with pytest.raises(ModelError, match="no family has this shape"):
        choose(Length(60.0), {"net.norm": "post"}, None, text, RECORDS, lambda likely: LAPTOP, Place())


@pytest.fixture(scope="module")
def choice(text: Modality) -> Choice:
    return chosen(text, Length(steps=40))


@given(st.integers(1, 10**7))
@settings(deadline=None)
def test_a_run_of_any_number_of_steps_rises_falls_and_is_looked_at_a_dozen_times(choice: Choice, steps: int) -> None:
    config = schedule(Length(steps=steps), choice, TrainConfig())
    assert config.steps == steps
    assert 0 < config.decay_from <= steps
    assert 5 <= config.warmup <= 200
    assert config.look_every >= 1
    assert min(steps, 12) <= steps / config.look_every < 24


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=40), st.floats(10, 10**6))
@settings(deadline=None)
def test_pieces_are_as_long_as_records_are_but_no_longer_than_the_time_allows(
    text: Modality, lengths: list[int], left: float
) -> None:
    found, records = reach(Length(left), np.array(lengths), text), np.array(lengths)
    assert 32 <= found <= REACH[1]
    assert found & (found - 1) == 0
    assert found >= min(np.quantile(records, 0.99), REACH[0])
    assert found <= max(2 * (records.max() + text.frame_size), 32)
    assert found <= reach(Length(left), records * 2, text)
