"""Texts are strings, whole ones, and what is none is named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.errors import DataError, QueryError
from maskwright.modalities.text.value import TEXT, claim
from maskwright.records.notices import unheard

lines = st.text(st.sampled_from("ab \n\r漢🎈"), max_size=300)


@given(lines, st.integers(1, 40))
def test_stretches_of_a_text_are_all_of_it_in_order_and_at_their_places(text: str, size: int) -> None:
    found = list(TEXT.stretches(text, size))
    assert "".join(part for part, _ in found) == text
    for part, place in found:
        begin, end = map(int, place.split(":"))
        assert text[begin:end] == part
        assert 0 < len(part) <= 3 * size
    assert TEXT.excerpt(text, size) == (found[0][0] if found else "")


@given(lines)
def test_texts_that_differ_in_spaces_alone_repeat_each_other(text: str) -> None:
    assert TEXT.fold(text) == TEXT.fold("\n " + text.replace(" ", "  \t") + " ")
    assert TEXT.fold(text + "c") != TEXT.fold(text)
    assert TEXT.display.facts(iter([text, "first"]))[0].startswith("0.00 MB; bytes a record: ")


@pytest.mark.parametrize(
    ("given_", "words"),
    [(3, "expected text, got int"), (b"a", "expected text, got bytes"), ("a\ud800", "half a surrogate pair")],
)
def test_what_is_no_text_is_refused_by_name(given_: Any, words: str) -> None:
    with pytest.raises(DataError, match=f"input: .*{words}"):
        TEXT.of_python(given_, "input")
    with pytest.raises(DataError, match="row 3: "):
        TEXT.of_cell(None if given_ == 3 else given_, "row 3", "body", unheard)


def test_cells_that_spell_numbers_or_nothing_are_no_text() -> None:
    assert [TEXT.is_likely(cell) for cell in ("words", "3.5", "1e9", "", "nan", 3, None, "v1.2")] == [
        True, False, False, False, False, False, False, True,
    ]  # fmt: skip
    assert TEXT.of_cell(" \n", "row 1", "body", unheard) is None


def test_text_claims_files_that_nobody_else_does_and_has_no_masks() -> None:
    assert 0 < claim(["a.bin"], [], None).sure < 1
    assert claim([], [3], None).sure == 0
    with pytest.raises(QueryError, match=r"a mask is for pictures; in a text write {mask}"):
        TEXT.mask("a")
