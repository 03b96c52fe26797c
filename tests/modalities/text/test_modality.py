"""Blanks in a text: what is asked, and what comes back byte for byte."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.errors import QueryError
from maskwright.modalities.base import Asked, Query
from maskwright.modalities.text.modality import TextModality
from maskwright.modalities.text.utf8_states import WHOLE
from maskwright.nets.heads.token import Categorical
from maskwright.tokens import Tokens
from tests.conftest import text_records


@pytest.fixture(scope="module")
def text(texts: list[str]) -> TextModality:
    made = TextModality()
    made.fit(text_records(texts[:1500]), 100_000)
    return made


pieces = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="{}"), max_size=20)


@given(st.lists(pieces, min_size=2, max_size=4))
@settings(deadline=None)
def test_what_no_blank_touches_comes_back(text: TextModality, parts: list[str]) -> None:
    query = "{mask}".join(parts)
    (asked,) = text.blanks(text_records(query)[0])
    at = np.flatnonzero(~asked.tokens.present)
    assert len(at) == len(parts) - 1
    word = text.vocabulary.ids(["Q"])[0][0]
    filled = text.decode(asked.tokens.with_values(at, {"id": np.full(len(at), word)}), asked)
    expected = "".join(
        part.removesuffix(" ") + "Q" if number < len(parts) - 1 else part for number, part in enumerate(parts)
    )
    assert filled == expected


def test_new_lines_and_indents_before_a_blank_stay(text: TextModality) -> None:
    query = "def f():\n\t    {mask} x\n\n{mask}"
    (asked,) = text.blanks(text_records(query)[0])
    word = text.vocabulary.ids([" a"])[0][0]
    assert text.decode(asked.tokens.with_values(np.flatnonzero(~asked.tokens.present), {"id": np.full(2, word)}), asked) == (
        "def f():\n\t    a x\n\n a"
    )


def test_after_a_space_only_tokens_that_bring_it_back(text: TextModality) -> None:
    size = text.vocabulary.size
    (asked,) = text.blanks(text_records("my {mask} and {mask}x")[0])
    first = int(np.flatnonzero(~asked.tokens.present)[0])
    even = Categorical(torch.zeros(1, 4), torch.zeros(size, 4), torch.zeros(size))
    values, log_probs = text.restrict(even, [Asked.alone(asked, first)]).candidates(size)
    possible = values["id"][0][torch.isfinite(log_probs[0])]
    assert all(text.vocabulary.texts[i].startswith(b" ") for i in possible)
    assert log_probs[0][torch.isfinite(log_probs[0])].exp().sum() == pytest.approx(1.0, abs=1e-4)


def test_a_blank_is_never_filled_with_half_a_character(text: TextModality) -> None:
    """Alone, and beside others: whatever is put into one, the others can make it whole."""
    v = text.vocabulary
    distribution = Categorical(torch.zeros(1, 4), torch.zeros(v.size, 4), torch.zeros(v.size))

    def allowed(query: Query, tokens: Tokens, at: int) -> set[int]:
        asked = Asked(query, at, tokens, at, query.blanks)
        restricted = text.restrict(distribution, [asked])
        return set(torch.nonzero(restricted.log_probs()[0].isfinite())[:, 0].tolist())

    (lone,) = text.blanks(text_records("ab{mask}c")[0])
    alone = allowed(lone, lone.tokens, int(lone.blanks[0]))
    assert alone
    assert not any("\ufffd" in v.text([i]) for i in alone)
    rng = np.random.default_rng(0)
    for query in ("ab{mask}{mask}c", "ab{mask}{mask}{mask}{mask}", "{mask}{mask} {mask}c"):
        (asked,) = text.blanks(text_records(query)[0])
        partial = 0
        for _ in range(200):
            tokens = asked.tokens
            tokens = replace(tokens, values={n: a.copy() for n, a in tokens.values.items()}, present=tokens.present.copy())
            for at in rng.permutation(asked.blanks).tolist():  # in any order
                choice = sorted(allowed(asked, tokens, at))
                some = [i for i in choice if v.transitions[i, WHOLE] != WHOLE]  # halves as often as wholes
                put = int(rng.choice(some if some and rng.random() < 0.5 else choice))
                partial += put not in alone
                tokens.values["id"][at], tokens.present[at] = put, True
            b"".join(v.texts[i] for i in tokens.values["id"][asked.blanks]).decode()
        assert partial > 20


def test_literals_and_the_tokenisers_own_mask(text: TextModality) -> None:
    (asked,) = text.blanks(text_records("{{mask}} is not [MASK] nor {{mask*}}")[0])
    assert (~asked.tokens.present).sum() == 1
    word = text.vocabulary.ids([" a"])[0][0]
    filled = asked.tokens.with_values(np.flatnonzero(~asked.tokens.present), {"id": np.array([word])})
    assert text.decode(filled, asked) == "{mask} is not a nor {mask*}"


def test_a_blank_of_unknown_length_has_eight_variants(text: TextModality) -> None:
    variants = text.blanks(text_records("I lost {mask*} today and {mask}")[0])
    assert [int((~v.tokens.present).sum()) for v in variants] == [2, 3, 4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize(
    ("query", "targets", "words"),
    [
        ("nothing to fill", None, "no blank in 'nothing to fill'"),
        ("{mask*} {mask*} {mask*}", None, "3 blanks of unknown length; 2 at most"),
        ("{mask} {mask}", ["a"], "targets need exactly one blank, there are 2"),
        ("{mask}", [""], "an empty target"),
    ],
)
def test_queries_that_make_no_sense(text: TextModality, query: str, targets: list[str] | None, words: str) -> None:
    with pytest.raises(QueryError, match=words.replace("*", r"\*")):
        text.blanks(text_records(query)[0], targets)


def test_offsets_are_the_users(text: TextModality) -> None:
    query = "Grüße {mask} 漢字 {mask}"
    (asked,) = text.blanks(text_records(query)[0])
    blanks = asked.tokens.where[~asked.tokens.present]
    assert [query[a:b] for a, b in blanks] == ["{mask}", "{mask}"]
