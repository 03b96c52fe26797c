"""Many questions are answered as one is, in their own order, from any number of threads."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import maskwright as mw
from maskwright.model import calibrate
from maskwright.model.predictor import BATCH_TOKENS, Predictor, Question, _cut, truth
from maskwright.tokens import Array
from tests.model.queries import encoded


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def nats(predictor: Predictor, questions: list[Question]) -> Array:
    """Of what stands at each asked place."""

    def answer(distribution: object, members: list[int], rows: Array) -> list[Array]:
        found = distribution.nll(truth(questions, members)).numpy()  # type: ignore[attr-defined]
        return [found[a:b] for a, b in pairwise(rows)]

    return np.concatenate(predictor.ask(questions, answer))


@pytest.mark.usefixtures("two_threads")
def test_several_threads_at_once_get_the_answers_of_one_and_keep_their_own_cores(model: mw.Model, texts: list[str]) -> None:
    questions = calibrate.together(encoded(model, texts[3000:3200]), 150, 2, np.random.default_rng(0))
    assert sum(len(q.tokens) for q in questions) > 2000  # several batches
    alone, orders = nats(model.predictor, questions), [np.random.default_rng(n).permutation(150) for n in range(4)]
    assert torch.get_num_threads() == 2

    def ask(order: Array) -> tuple[Array, int]:
        torch.set_num_threads(2)
        return nats(model.predictor, [questions[i] for i in order]).reshape(-1, 2), torch.get_num_threads()

    with ThreadPoolExecutor(4) as threads:
        for order, (found, cores) in zip(orders, threads.map(ask, orders), strict=True):
            np.testing.assert_allclose(found, alone.reshape(-1, 2)[order], atol=1e-4)
            assert cores == 2
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_states_come_back_in_the_order_of_the_records_with_their_frames(model: mw.Model, texts: list[str]) -> None:
    records = [tokens.take(slice(0, model.predictor.most)) for tokens in encoded(model, ["", *texts[3000:3100]])]
    many = model.predictor.states(records)
    assert [len(states) for states in many] == [len(tokens) + 2 for tokens in records]
    for number in (0, 1, 50, 100):
        (one,) = model.predictor.states([records[number]])
        np.testing.assert_allclose(many[number], one, atol=1e-4)
    assert model.predictor.states([]) == []


@given(st.lists(st.integers(0, 3 * BATCH_TOKENS), max_size=60), st.integers(1, 8))
def test_batches_hold_every_record_once_and_no_more_tokens_than_fit(lengths: list[int], threads: int) -> None:
    batches = _cut(np.array(lengths, dtype=np.int64), threads)
    assert sorted(i for members in batches for i in members) == list(range(len(lengths)))
    for members in batches:
        assert members
        assert len(members) == 1 or sum(lengths[i] for i in members) <= BATCH_TOKENS
    shown = [lengths[i] for members in batches for i in members]
    assert shown == sorted(shown)


def test_an_answer_that_fails_is_the_callers_error(model: mw.Model, texts: list[str]) -> None:
    questions = calibrate.together(encoded(model, texts[3000:3200]), 150, 1, np.random.default_rng(0))

    def answer(distribution: object, members: list[int], rows: Array) -> list[None]:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        model.predictor.ask(questions, answer)
    assert np.isfinite(nats(model.predictor, questions)).all()  # and the threads go on working
