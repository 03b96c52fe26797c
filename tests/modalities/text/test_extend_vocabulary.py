"""New words for a tokeniser: they are used, the old ones stay, and any text still comes back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from maskwright.errors import RecipeError
from maskwright.modalities.text.bpe import SPECIALS, Vocabulary
from maskwright.modalities.text.extend_vocabulary import extended

NEW = ["the electroencephalogram of the gallbladder"] * 5


@pytest.fixture(scope="module")
def byte_level(texts: list[str]) -> Vocabulary:
    return Vocabulary.train(texts[:500], 512)


@pytest.fixture(scope="module")
def word_piece(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=700, special_tokens=list(SPECIALS), show_progress=False)
    tokenizer.train_from_iterator(texts[:500], trainer)
    path = tmp_path_factory.mktemp("wordpiece") / "tokenizer.json"
    tokenizer.save(str(path))
    return Vocabulary.load(path)


@pytest.mark.parametrize("kind", ["byte_level", "word_piece"])
def test_new_words_take_fewer_tokens_and_old_text_the_same(
    kind: str, texts: list[str], request: pytest.FixtureRequest
) -> None:
    old: Vocabulary = request.getfixturevalue(kind)
    new = old.extended(iter(NEW), 40)
    assert old.size < new.size <= old.size + 40
    assert len(new.ids([NEW[0]])[0]) < len(old.ids([NEW[0]])[0])
    assert new.text(new.ids([NEW[0]])[0]).strip() == NEW[0]
    for before, after in zip(old.ids(texts[:200]), new.ids(texts[:200]), strict=True):
        assert before == after or max(after) >= old.size
    for token, token_id in new.tokenizer.get_vocab(with_added_tokens=True).items():
        if token_id >= old.size:
            assert all(piece < old.size for piece in old.pieces(token))
            assert len(old.pieces(token)) > 1 or old.pieces(token) == [old.unk]


def test_fewer_where_the_texts_hold_no_more(byte_level: Vocabulary) -> None:
    assert byte_level.extended(iter(["aa"]), 50).size == byte_level.size


@given(st.text())
@settings(deadline=None, max_examples=100)
def test_any_text_still_round_trips(byte_level: Vocabulary, text: str) -> None:
    made = byte_level.extended(iter([text] * 5), 10)
    assert made.text(made.ids([text])[0]) == text


def test_a_word_piece_says_where_words_begin(word_piece: Vocabulary) -> None:
    ((ids, offsets),) = word_piece.ids_and_offsets(["Electro gram"])
    first = [i for i, (a, _) in enumerate(offsets) if a in (0, 8)]
    assert [bool(word_piece.begins[i]) for i in ids] == [n in first for n in range(len(ids))]
    assert word_piece.text(ids[first[1] :]) == " gram"
    assert word_piece.text(ids[1 : first[1]]) == "electro"[offsets[0][1] :]


def test_a_tokeniser_of_another_kind_is_refused() -> None:
    with pytest.raises(RecipeError, match="WordLevel"):
        extended(Tokenizer(models.WordLevel({"a": 0}, unk_token="a")), iter(NEW), 5, 10)


def test_rows_are_those_of_the_net_beside_it(byte_level: Vocabulary, tmp_path: Path) -> None:
    byte_level.extended(iter(NEW), 7).save(tmp_path, 64)
    assert Vocabulary.load(tmp_path).size == byte_level.size + 7


def test_tokens_that_were_added_behind_the_vocabulary_keep_their_numbers(byte_level: Vocabulary) -> None:
    """As ModernBERT's own tokeniser has them: loading numbers such tokens by the vocabulary's size."""
    tokenizer = Tokenizer.from_str(byte_level.tokenizer.to_str())
    tokenizer.add_special_tokens(["<extra>"])
    tokenizer.add_tokens(["   "])
    before = {t: tokenizer.token_to_id(t) for t in ("<extra>", "   ")}
    made = extended(tokenizer, iter(NEW), 10, 600)
    assert {t: made.token_to_id(t) for t in before} == before
    assert min(i for t, i in made.get_vocab().items() if i > max(before.values())) >= 600
