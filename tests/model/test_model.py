"""The verbs, as a user calls them."""

from __future__ import annotations

import copy
import pickle
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import maskwright as mw
from maskwright.errors import QueryError
from maskwright.model.results import Filling


def test_one_gives_one_and_many_give_many(model: mw.Model) -> None:
    query = "I lost my {mask}."
    one, many = model.fill(query), model.fill([query, query])
    assert isinstance(one, Filling)
    assert [f.text for f in many] == [one.text, one.text]
    assert [f.prob for f in many] == pytest.approx([one.prob, one.prob], rel=1e-4)
    assert model.fill([]) == []
    assert model.embed(query).shape == (48,)
    assert model.embed([query] * 3).shape == (3, 48)
    assert model.embed([]).shape == (0, 48)
    assert model.score([query] * 2)[1].total == pytest.approx(model.score(query).total, abs=1e-4)
    assert model.fill(q for q in [query]) == [one]


def test_a_fill_says_what_else_may_stand_there(model: mw.Model) -> None:
    filling = model.fill("My {mask} was {mask}", top_k=4)
    assert len(filling.slots) == 2
    for slot, at in zip(filling.slots, (3, 14), strict=True):
        assert len(slot.tokens) == len(slot.probs) == 4
        assert slot.probs == sorted(slot.probs, reverse=True)
        assert 0 < sum(slot.probs) <= 1
        assert all(token.startswith(" ") for token in slot.tokens)
        assert slot.offset == at
        assert slot.region is None
    assert filling.text.startswith("My ")
    assert 0 < filling.prob <= 1


def test_the_best_completions_are_distinct_and_first_is_the_text(model: mw.Model) -> None:
    filling = model.fill("My {mask} {mask} declined", n=6)
    shown = [c.text for c in filling.completions]
    assert len(set(shown)) == 6
    assert shown[0] == filling.text
    assert sum(c.prob for c in filling.completions) <= 1.0001


def test_draws_depend_on_the_query_and_the_seed_alone(model: mw.Model) -> None:
    query = "Can I {mask} my {mask}?"
    alone = model.fill(query, draws=4, seed=3)
    together = model.fill(["something {mask}", query], draws=4, seed=3)[1]
    assert [c.text for c in together.completions] == [c.text for c in alone.completions]
    assert [c.text for c in model.fill(query, draws=2, seed=3).completions] == [c.text for c in alone.completions[:2]]
    others = {c.text for seed in range(8) for c in model.fill(query, draws=4, seed=seed).completions}
    assert len(others) > 4


def test_targets_are_scored_jointly_whatever_their_length(model: mw.Model) -> None:
    filling = model.fill("I want to use my {mask} today", targets=["card", "zzyzx quux", "virtual card"])
    assert {c.text for c in filling.completions} == {"card", "zzyzx quux", "virtual card"}
    assert [c.prob for c in filling.completions] == sorted((c.prob for c in filling.completions), reverse=True)
    assert filling.completions[-1].text == "zzyzx quux"
    assert filling.text == f"I want to use my {filling.completions[0].text} today"
    single = model.fill("I want to use my {mask} today", top_k=1)
    word = single.slots[0].tokens[0].strip()
    same = model.fill("I want to use my {mask} today", targets=[word])
    assert same.prob == pytest.approx(single.slots[0].probs[0], rel=1e-3)


def test_a_blank_of_unknown_length(model: mw.Model) -> None:
    filling = model.fill("How long does {mask*} take?", n=5)
    assert filling.text.startswith("How long does ")
    assert filling.text.endswith(" take?")
    assert 1 <= len(filling.slots) <= 8
    assert sum(c.prob for c in filling.completions) <= 1.0001
    assert model.fill("{mask*}", draws=3).completions


def test_coverage_gives_sets(model: mw.Model) -> None:
    narrow, wide = (model.fill("My {mask} was declined", coverage=c).slots[0].region or [] for c in (0.5, 0.9))
    assert set(narrow) <= set(wide)
    assert len(narrow) < len(wide)


def test_untouched_text_comes_back_byte_for_byte(model: mw.Model) -> None:
    query = "\n\t A {mask} 漢字🎈\r\n\u00a0x  {mask}\n\n"
    text = model.fill(query).text
    assert text.startswith("\n\t A")
    assert " 漢字🎈\r\n\u00a0x" in text
    assert text.endswith("\n\n")


def test_long_inputs_are_windowed_and_never_cut(model: mw.Model, texts: list[str]) -> None:
    long = " ".join(texts[:40])
    scored = model.score(long)
    assert scored.offsets[-1][1] == len(long)
    assert "".join(scored.tokens) == long or len(scored.tokens) == len(scored.per_token)
    assert scored.total == pytest.approx(sum(scored.per_token))
    filling = model.fill(f"{long} my {{mask}} {long} {{mask}} {long}")
    assert len(filling.slots) == 2
    assert filling.text.count(long) == 3
    changed = model.embed(long + " " + "qqq zzz " * 30)
    assert not np.allclose(changed, model.embed(long), atol=1e-3)


def test_strange_text_scores_higher(model: mw.Model, texts: list[str]) -> None:
    rng = np.random.default_rng(0)
    known = texts[3000:3040]
    shuffled = [" ".join(rng.permutation(t.split())) for t in known]
    better = [b.mean > a.mean for a, b in zip(model.score(known), model.score(shuffled), strict=True)]
    assert np.mean(better) > 0.75


def test_answers_do_not_depend_on_company_or_order(model: mw.Model, texts: list[str]) -> None:
    some = texts[3000:3030]
    together = model.score(some)
    backwards = model.score(some[::-1])[::-1]
    assert [a.total for a in together] == pytest.approx([b.total for b in backwards], abs=1e-3)
    assert np.abs(model.embed(some) - np.stack([model.embed(t) for t in some])).max() < 1e-5


def test_vectors_have_unit_length(model: mw.Model, texts: list[str]) -> None:
    vectors = model.embed(["", "a", *texts[:20]])
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n": 2, "draws": 2}, "choose one of n, draws and targets"),
        ({"top_k": 0}, "top_k must be at least 1"),
        ({"targets": []}, "targets is empty"),
        ({"draws": 2, "seed": -1}, "seed must be at least 0"),
        ({"coverage": 1.5}, "coverage must lie between 0 and 1"),
    ],
)
def test_options_that_make_no_sense(model: mw.Model, options: dict[str, object], words: str) -> None:
    with pytest.raises(mw.QueryError, match=words):
        model.fill("a {mask}", **options)  # type: ignore[call-overload]


def test_records_that_are_no_text(model: mw.Model) -> None:
    with pytest.raises(mw.DataError, match=r"input\[1\]: expected text, got int"):
        model.score(["a", 5])  # type: ignore[list-item]


def test_bfloat16_answers_nearly_the_same(folder: Path, model: mw.Model, texts: list[str]) -> None:
    quick = mw.load(folder, precision="bfloat16")
    some = texts[3000:3040]
    assert (quick.embed(some) * model.embed(some)).sum(1).min() > 0.999
    ours, theirs = (np.array([s.total for s in m.score(some)]) for m in (quick, model))
    np.testing.assert_allclose(ours, theirs, rtol=0.03)
    with pytest.raises(mw.QueryError, match="precision 'int4': choose one of float32, bfloat16"):
        mw.load(folder, precision="int4")


def test_a_copied_or_pickled_model_is_the_same(model: mw.Model) -> None:
    said = "I lost [MASK] and [SEP] here"
    for same in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert same.score(said).total == model.score(said).total
        assert same.fill("I lost my {mask}.").text == model.fill("I lost my {mask}.").text


def test_tables_are_answered_by_rows_and_never_by_their_names(model: mw.Model, texts: list[str], tmp_path: Path) -> None:
    some = texts[:5]
    table = pa.table({"n": range(5), "text": some})
    expected = [score.total for score in model.score(some)]
    pq.write_table(table, tmp_path / "some.parquet")
    for given in (table, {"text": some, "n": list(range(5))}, table.to_pylist(), table["text"], tmp_path / "some.parquet"):
        assert [score.total for score in model.score(given)] == expected
        assert model.embed(given).shape[0] == 5
    assert model.score({"n": 3, "text": some[0]}).total == expected[0]
    two = {"title": some, "body": [text + " more" for text in some]}
    assert [score.total for score in model.score(two, field="title")] == expected
    queries = {"q": ["I lost my {mask}.", "Where is my {mask}?"]}
    assert [f.text for f in model.fill(queries, field="q")] == [f.text for f in model.fill(queries["q"])]


def test_targets_are_one_word_or_several_trimmed_as_blanks_are(model: mw.Model) -> None:
    assert [c.text for c in model.fill("I lost my {mask}.", targets="card").completions] == ["card"]
    found = model.fill("{mask} is lost", targets=["Card", " Money", "Money"])
    assert sorted(c.text for c in found.completions) == ["Card", "Money"]
    assert found.text in ("Card is lost", "Money is lost")
    for wrong in ([None], [3], 3):
        with pytest.raises(QueryError, match=r"targets\[0\]: expected text, got"):
            model.fill("I lost my {mask}.", targets=wrong)  # type: ignore[call-overload]


def test_more_passes_than_tokens_are_all_of_them(model: mw.Model) -> None:
    assert model.score("I lost my card", passes=10**9).per_token == model.score("I lost my card", passes="all").per_token
    assert model.score("I lost my card", passes=np.int64(4)).total == model.score("I lost my card", passes=4).total


def test_fills_are_whole_characters_in_any_script(tmp_path: Path) -> None:
    """Of a tokeniser that has most characters in parts only."""
    rng = random.Random(3)
    characters = [chr(0x4E00 + 7 * i) for i in range(700)]
    lines = ["".join(rng.choices(characters, [1 / (i + 1) for i in range(700)], k=14)) + "。" for _ in range(1500)]
    small = ("net.width=32", "net.layers=2", "tokenizer.size=512", "train.batch_tokens=1024", "calibration.slots=40")
    model = mw.train(lines, out=tmp_path / "m", steps=40, settings=small)
    for line in lines[:4]:
        for blank in ("{mask}{mask}", "{mask}{mask}{mask}", "{mask*}"):
            for how in ({"n": 8}, {"draws": 12}):
                filling = model.fill(line[:6] + blank + line[8:], **how)  # type: ignore[call-overload]
                assert not any("\ufffd" in completion.text for completion in filling.completions)
