"""Any text comes back exactly, and special strings in data are ordinary text."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.errors import DataError, ModelError
from maskwright.modalities.text.bpe import LONGEST_WORD, SPECIALS, Vocabulary, cut_words, suggested_size

SAMPLES = [
    "def f(x):\n\treturn  x\n",
    "Grüße, 漢字 и кириллица 🎈",
    "a\r\nb\u00a0c\u200d\ufeff",
    " [MASK] [CLS]",
    "{mask}",
    "Ġ Ċ ▁ ##x",
]


@pytest.fixture(scope="module")
def vocabulary(texts: list[str]) -> Vocabulary:
    return Vocabulary.train(texts[:2000] + SAMPLES, 1024)


@given(st.text())
@settings(deadline=None, max_examples=300)
def test_any_text_round_trips(vocabulary: Vocabulary, text: str) -> None:
    ids = vocabulary.ids([text])[0]
    assert vocabulary.text(ids) == text
    assert not vocabulary.special[ids].any()
    assert b"".join(vocabulary.texts[i] for i in ids) == text.encode()


@pytest.mark.parametrize("text", [*SAMPLES, *SPECIALS])
def test_special_strings_and_code_round_trip(vocabulary: Vocabulary, text: str) -> None:
    ((ids, offsets),) = vocabulary.ids_and_offsets([text])
    assert vocabulary.text(ids) == text
    assert not vocabulary.special[ids].any()
    assert offsets[0, 0] == 0
    assert offsets[-1, 1] == len(text)


def test_the_table_is_a_multiple_of_64_and_grows_with_the_corpus(vocabulary: Vocabulary) -> None:
    assert vocabulary.size == 1024
    sizes = [suggested_size(10**n) for n in range(3, 10)]
    assert sizes == sorted(sizes)
    assert all(size % 64 == 0 for size in sizes)


def test_training_twice_gives_the_same_tokeniser(texts: list[str]) -> None:
    made = [Vocabulary.train(texts[:500], 512).tokenizer.to_str() for _ in range(2)]
    assert made[0] == made[1]


def test_half_a_surrogate_pair_is_refused(vocabulary: Vocabulary) -> None:
    with pytest.raises(DataError, match="surrogate"):
        vocabulary.ids(["\ud800"])


def test_words_begin_where_people_say(vocabulary: Vocabulary) -> None:
    ids = np.array(vocabulary.ids(["don't pay-back 42x"])[0])
    spelled = [vocabulary.texts[i].decode() for i in ids]
    starts = vocabulary.begins[ids].copy()
    starts[1:] |= vocabulary.ends[ids[:-1]]
    at = np.cumsum([0] + [len(t) for t in spelled[:-1]])
    assert {int(a) for a, fresh in zip(at, starts, strict=True) if fresh} >= {3, 5, 9, 14}


def test_scripts_without_spaces_and_punctuation_break_words(vocabulary: Vocabulary) -> None:
    text = "漢字。仮名, и слово"
    ids = np.array(vocabulary.ids([text])[0])
    starts = vocabulary.begins[ids].copy()
    starts[1:] |= vocabulary.ends[ids[:-1]]
    assert starts.sum() >= 7
    cyrillic = np.array(vocabulary.ids(["слово"])[0])
    assert not vocabulary.begins[cyrillic[1:]].any()


def test_a_tokeniser_that_loses_text_is_refused(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    made = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.train_from_iterator(
        ["some words here"], trainers.WordLevelTrainer(special_tokens=list(SPECIALS), show_progress=False)
    )
    made.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ModelError, match="not byte-level: text doesn't come back from it exactly"):
        Vocabulary.load(tmp_path)


def test_a_tokeniser_without_a_mask_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text("{}")
    with pytest.raises(ModelError, match=r"tokenizer.json: not a readable tokenizer.json"):
        Vocabulary.load(path)
    with pytest.raises(ModelError, match="no tokeniser there"):
        Vocabulary.load(path.with_name("other"))


@given(st.text(st.sampled_from("ab \n漢"), max_size=40).map(lambda text: text.replace("a", "a" * 150)))
@settings(deadline=None)
def test_words_without_an_end_are_cut_and_nothing_is_lost(text: str) -> None:
    parts = list(cut_words(text))
    assert "".join(parts) == text
    assert all(len(word) <= LONGEST_WORD for part in parts for word in part.split())
    if all(len(word) <= LONGEST_WORD for word in text.split()):
        assert parts == [text]


def test_a_tokeniser_learns_from_one_endless_word() -> None:
    """In the square of its length it would take hours."""
    letters = "".join(random.Random(1).choices("ACGT", k=2_000_000))
    vocabulary = Vocabulary.train([letters], 512)
    assert vocabulary.text(vocabulary.ids([letters[:5000]])[0]) == letters[:5000]
