"""Blanks are found where they were written, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.errors import QueryError
from maskwright.modalities.text.query import Blank, blanks_of, literal, short

plain = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="{}[]"), max_size=9)
marks = st.sampled_from(["{mask}", "{mask*}", "[MASK]"])


@given(plain, st.lists(st.tuples(marks, plain), min_size=1, max_size=5))
def test_every_blank_is_found_where_it_stands(first: str, rest: list[tuple[str, str]]) -> None:
    text, expected = first, []
    for mark, after in rest:
        spaced = text.endswith(" ")
        expected.append(Blank(len(text) - spaced, len(text) + len(mark), mark == "{mask*}", spaced))
        text += mark + after
    assert blanks_of(text, "[MASK]", "a") == expected


@given(st.lists(plain, min_size=2, max_size=4), st.sampled_from(["{mask}", "{mask*}"]))
def test_an_escaped_blank_is_none_and_is_spelled_out(parts: list[str], mark: str) -> None:
    text = ("{" + mark + "}").join(part.removesuffix("$") for part in parts)
    assert literal(text) == mark.join(part.removesuffix("$") for part in parts)
    (only,) = blanks_of(text + "{mask}", "[MASK]", "a")
    assert only.last == len(text) + len("{mask}")


@pytest.mark.parametrize(
    "text", ["const t = `${{mask}} items`;", 'f"{{mask}} items"', "${{mask}} and {mask}", "no ${{{mask}}}"]
)
def test_in_code_a_blank_may_touch_braces(text: str) -> None:
    first = blanks_of(text, "[MASK]", "a")[0]
    assert (text[first.first : first.last], first.spaced, text[first.first - 1]) == ("{mask}", False, "{")


def test_a_text_without_a_blank_says_how_one_is_written() -> None:
    with pytest.raises(QueryError, match=r"a: no blank in .*; write {mask} for one token, {mask\*} for some"):
        blanks_of("nothing here", "[MASK]", "a")


def test_a_mask_is_spelled_as_the_tokeniser_does() -> None:
    assert [blank.first for blank in blanks_of("a<mask> b{mask}", "<mask>", "a")] == [1, 9]
    with pytest.raises(QueryError, match="no blank"):
        blanks_of("a [MASK] b", "<mask>", "a")
    assert blanks_of("a.c abc a{mask}", "a.c", "a")[0] == Blank(0, 3, False, False)  # and no pattern is meant


@given(st.text(max_size=200))
def test_an_error_quotes_the_beginning_of_a_text(text: str) -> None:
    assert short(text) == repr(text) if len(text) <= 60 else short(text) == repr(text[:57] + "...")
