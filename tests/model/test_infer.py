"""Windows, decoding, scoring and calibration on a net that was trained."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import maskwright as mw
from maskwright.errors import QueryError
from maskwright.modalities.base import Query
from maskwright.model import beam_decode, calibration, span_length
from maskwright.model.beam_decode import DecodeConfig
from maskwright.model.calibration import Calibration
from maskwright.model.score import score
from maskwright.model.windows import around, windows
from maskwright.records.read import records_of
from maskwright.tokens import Tokens, grid

shapes = st.one_of(st.tuples(st.integers(0, 300)), st.tuples(st.integers(1, 25), st.integers(1, 25)))


@given(shapes, st.integers(4, 60))
@settings(deadline=None)
def test_windows_cover_everything_and_answer_from_the_middle(shape: tuple[int, ...], most: int) -> None:
    cuts = windows(shape, most)
    assert len(cuts.owner) == np.prod(shape)
    reach = []
    for own in cuts.tokens:
        assert len(own) <= most
        assert (np.diff(own) > 0).all()
        place = np.stack(np.unravel_index(own, shape), axis=1) if len(own) else np.zeros((1, len(shape)))
        reach.append((place.min(0), place.max(0)))
    for token, owner in enumerate(cuts.owner):
        assert token in cuts.tokens[owner]
        place = np.array(np.unravel_index(token, shape))
        edge = lambda w: np.minimum(place - reach[w][0], reach[w][1] - place).min()  # noqa: B023, E731
        assert edge(owner) >= max(edge(w) for w, own in enumerate(cuts.tokens) if token in own) - 1


@given(shapes.filter(all), st.integers(4, 60), st.data())
def test_a_window_around_holds_what_was_asked(shape: tuple[int, ...], most: int, data: st.DataObject) -> None:
    (side,) = grid.sides(np.array([shape]), most)
    first = [data.draw(st.integers(0, n - 1)) for n in shape]
    last = [
        data.draw(st.integers(f, min(f + max(int(s) // 2, 1) - 1, n - 1)))
        for f, s, n in zip(first, side, shape, strict=True)
    ]
    asked = np.unique([np.ravel_multi_index(corner, shape) for corner in (first, last)])
    own = around(shape, asked, most)
    assert set(asked) <= set(own)
    assert len(own) == min(np.prod(side), np.prod(shape))
    assert (np.diff(own) > 0).all()


def encoded(model: mw.Model, texts: list[str]) -> list[Tokens]:
    return model.modality.encode(records_of(texts))


def asked(model: mw.Model, texts: list[str], length: int, count: int = 40) -> list[Query]:
    return calibration.stretches(encoded(model, texts), count, length, np.random.default_rng(0))


def test_a_joint_probability_is_the_product_in_decoding_order(model: mw.Model, texts: list[str]) -> None:
    """Forcing what the decoder found, blank by blank in its own order, gives the probability that it named."""
    queries = asked(model, texts[3000:3100], 3)
    greedy = DecodeConfig(beam=1, rescore=False)
    found = [c[0] for c in beam_decode.best(model.reader, queries, greedy)]
    blanks = [~q.tokens.present for q in queries]
    again = [
        Query(q.tokens, q.template, {n: v[b] for n, v in c.tokens.values.items()})
        for q, c, b in zip(queries, found, blanks, strict=True)
    ]
    for a, b in zip(found, beam_decode.forced(model.reader, again, greedy), strict=True):
        assert a.log_prob == pytest.approx(b.log_prob, abs=1e-4)


def test_a_wider_beam_finds_no_less_likely_completions(model: mw.Model, texts: list[str]) -> None:
    queries = asked(model, texts[3000:3100], 3)
    one, four = (beam_decode.best(model.reader, queries, DecodeConfig(beam=beam, rescore=False)) for beam in (1, 4))
    gain = [b[0].log_prob - a[0].log_prob for a, b in zip(one, four, strict=True)]
    assert np.mean(gain) >= 0
    for completions in four:
        shown = [tuple(c.tokens.values["id"]) for c in completions]
        assert len(set(shown)) == len(shown) == 4


def test_draws_follow_the_distribution(model: mw.Model) -> None:
    (query,) = model.modality.blanks(records_of("My {mask} was declined")[0])
    drawn = beam_decode.draws(model.reader, [query] * 3000, 0, 5, DecodeConfig())
    at = int(np.flatnonzero(~query.tokens.present)[0])
    ids = np.array([c.tokens.values["id"][at] for c in drawn])
    likeliest = beam_decode.best(model.reader, [query], DecodeConfig())[0]
    for completion in likeliest[:3]:
        share = float((ids == completion.tokens.values["id"][at]).mean())
        assert share == pytest.approx(np.exp(completion.log_prob), abs=0.04)


def test_scoring_one_at_a_time_is_every_conditional(model: mw.Model, texts: list[str]) -> None:
    from maskwright.model.predictor import Question

    (tokens,) = encoded(model, [texts[3001]])
    (exact,) = score(model.reader, [tokens], [7], "all")
    for i in range(len(tokens)):
        hidden = np.zeros(len(tokens), dtype=bool)
        hidden[i:] = tokens.unit[i:] == tokens.unit[i]
        question = Question(tokens, hidden, np.array([i]))
        truth = {"id": tokens.values["id"][[i]]}
        alone = model.reader.ask([question], lambda d, m, r, t=truth: list(d.nll(t).tolist()))[0]  # type: ignore[misc]
        assert exact[i] == pytest.approx(alone, abs=1e-4)


@pytest.mark.parametrize("passes", [1, 3, 16, "all"])
def test_every_token_is_scored_once_at_any_length(model: mw.Model, texts: list[str], passes: int | str) -> None:
    records = encoded(model, ["", "a", texts[0], " ".join(texts[:15])])
    nats = score(model.reader, records, range(4), passes)
    for tokens, values in zip(records, nats, strict=True):
        assert len(values) == len(tokens)
        assert (values > 0).all()


def test_passes_that_make_no_sense(model: mw.Model) -> None:
    with pytest.raises(QueryError, match="passes must be a whole number above 0"):
        model.score("a", passes=0)


def test_sets_hold_the_truth_as_often_as_promised(model: mw.Model, texts: list[str]) -> None:
    fresh = encoded(model, texts[4000:8000])
    questions = calibration.together(fresh, 4000, 1, np.random.default_rng(1))
    nats = calibration.slot_nats(model.reader, questions, model.calibration.slot)
    for coverage in (0.5, 0.8, 0.9):
        held = float((nats <= model.calibration.level(coverage, 1)).mean())
        assert held == pytest.approx(coverage, abs=0.06)


@pytest.mark.parametrize("blanks", [2, 5, 8])
def test_sets_of_blanks_hidden_together_hold_the_truth_as_often(model: mw.Model, texts: list[str], blanks: int) -> None:
    fresh = encoded(model, texts[4000:8000])
    questions = calibration.together(fresh, 400, blanks, np.random.default_rng(1))
    nats = calibration.slot_nats(model.reader, questions, model.calibration.slot)
    assert len(nats) == 400 * blanks
    held = [float((nats <= model.calibration.level(0.8, n)).mean()) for n in (blanks, 1)]
    assert held[0] == pytest.approx(0.8, abs=0.1)
    assert held[1] < held[0]  # the level of one blank promises less than it says


def test_a_promise_needs_slots() -> None:
    with pytest.raises(QueryError, match="can't be promised: calibration had 5 held-out slots"):
        Calibration(levels=[[0.0, 1.0]], slots=[5]).level(0.9, 1)
    with pytest.raises(QueryError, match="between 0 and 1"):
        Calibration(levels=[[0.0, 1.0]], slots=[5]).level(1.5, 1)
    with pytest.raises(QueryError, match="for 1 blanks in a text at the most, not 2"):
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


def test_an_overconfident_net_is_cooled(model: mw.Model, texts: list[str]) -> None:
    fresh = encoded(model, texts[3000:3600])
    questions = calibration.together(fresh, 500, 1, np.random.default_rng(1))
    bias = model.net.head.bias
    before = calibration._slot_temperature(model.reader, questions)
    weight = model.net.inputs.tok_embeddings.weight
    with torch.no_grad():
        norm = model.net.head.norm.weight
        kept = norm.clone(), bias.clone()
        norm.mul_(2)
        bias.mul_(2)
        after = calibration._slot_temperature(model.reader, questions)
        norm.copy_(kept[0])
        bias.copy_(kept[1])
    assert weight is not None
    assert after == pytest.approx(2 * before, rel=0.02)


def test_variants_differ_in_length_alone(model: mw.Model, texts: list[str]) -> None:
    (query, *_) = asked(model, [texts[3005] + " " + texts[3006]], 3, 1)
    made = span_length.variants(query)
    at = np.flatnonzero(~query.tokens.present)
    before, after = query.tokens.values["id"][: at[0]], query.tokens.values["id"][at[-1] + 1 :]
    for length, variant in enumerate(made, 1):
        ids = variant.tokens.values["id"]
        assert (~variant.tokens.present).sum() == length
        assert list(itertools.chain(before, after)) == [*ids[: at[0]], *ids[at[0] + length :]]


def test_whole_records_are_measured_as_they_come_until_their_time_is_up(
    model: mw.Model, texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    records = records_of(texts[:40])
    tokens = model.modality.encode(records)
    room = sum(map(len, tokens[:30]))
    seen: list[int] = []

    def coming() -> Iterator[tuple[Tokens, int]]:
        for record, own in zip(records, tokens, strict=True):
            seen.append(len(own))
            yield own, record.key

    whole, size = calibration.strangeness(model.reader, coming(), room)
    assert (len(whole), len(seen)) == (30, 31)
    assert size == pytest.approx(np.mean(seen))
    assert whole == pytest.approx(sorted(score.mean for score in model.score(records[:30])), abs=1e-4)
    monkeypatch.setattr(calibration, "TOGETHER", 50)
    assert calibration.strangeness(model.reader, coming(), room)[0] == pytest.approx(whole, abs=1e-4)
    assert calibration.strangeness(model.reader, iter([]), room) == ([], 0.0)
