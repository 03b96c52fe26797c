"""An error is one line: what is wrong, where, how to mend it, with options as whoever reads it would type them."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import maskwright as mw
from maskwright.errors import MaskwrightError, MaskwrightWarning, in_python, nearest, option, spelled

words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=12)
names = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
KINDS = [mw.DataError, mw.QueryError, mw.RecipeError, mw.ModelError, mw.RunError, mw.Interrupted]


@given(st.lists(st.tuples(words, names, words), max_size=4), words)
@settings(deadline=None, max_examples=40)
def test_a_face_is_given_each_option_as_it_was_and_no_other_word_changes(
    parts: list[tuple[str, str, str]], end: str
) -> None:
    message = "".join(before + option(name, value) for before, name, value in parts) + end
    heard: list[tuple[str, str]] = []

    def shell(name: str, value: str) -> str:
        heard.append((name, value))
        return f"--{name} {value}"

    assert spelled(message, shell) == "".join(f"{before}--{name} {value}" for before, name, value in parts) + end
    assert heard == [(name, value) for _, name, value in parts]


@given(
    st.from_regex(r"option_[a-z_]{1,8}", fullmatch=True),
    st.one_of(
        st.booleans(), st.integers(1, 10**9), st.sampled_from([0.5, 2.25]), st.from_regex(r"[a-z/.]{1,9}", fullmatch=True)
    ),
)
@settings(deadline=None, max_examples=40)
def test_what_an_error_says_to_type_is_python_and_means_that_value(name: str, value: object) -> None:
    assert eval(f"dict({spelled(option(name, value))})") == {name: value}


def test_a_setting_is_spelled_as_settings_are_given_and_a_name_alone_as_code() -> None:
    assert in_python("train.lr", "3e-4") == 'settings=["train.lr=3e-4"]'
    assert in_python("train.lr", "") == 'settings=["train.lr=…"]'
    assert in_python("field", "") == "`field`"
    assert str(MaskwrightWarning(f"cut; see {option('record')}")) == "cut; see `record`"


@given(st.sampled_from(KINDS), words, words, words, names)
@settings(deadline=None, max_examples=40)
def test_an_error_is_the_same_line_after_it_crossed_to_another_process(
    kind: type[MaskwrightError], what: str, where: str, fix: str, name: str
) -> None:
    error = kind(f"{what} {option(name, 'x')}", where=where, fix=fix, option=name)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error)
    assert vars(again) == vars(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("kind", KINDS)
def test_one_except_clause_catches_all_and_a_stop_is_caught_as_an_error_of_the_run(kind: type[MaskwrightError]) -> None:
    with pytest.raises(mw.MaskwrightError, match=r'^a.csv:7: ragged row; mend it, or on_bad="skip"$'):
        raise kind("ragged row", where="a.csv:7", fix=f"mend it, or {option('on_bad', 'skip')}")
    assert str(kind("no records")) == "no records"
    assert issubclass(mw.Interrupted, mw.RunError)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_said_of_another_place_or_with_one_more_way_out_is_another_one_of_its_kind(
    kind: type[MaskwrightError],
) -> None:
    first = kind("ragged row", where="a.csv:7", option="field")
    moved = first.at("b.csv:1").or_else("mend it").or_else(option("on_bad", "skip"))
    assert type(moved) is kind
    assert str(moved) == 'b.csv:1: ragged row; mend it, or on_bad="skip"'
    assert moved.option == "field"
    assert spelled(moved.message, lambda name, value: f"--{name} {value}").endswith("or --on_bad skip")
    assert str(first) == "a.csv:7: ragged row"


@given(st.text("abcdefgh", min_size=4, max_size=10), st.integers(0, 3))
@settings(deadline=None, max_examples=40)
def test_a_word_with_a_letter_missing_is_told_the_right_one_and_a_strange_one_nothing(word: str, at: int) -> None:
    assert nearest(word[:at] + word[at + 1 :], ["XXXX", word, "YYYYYY"]) == f" (did you mean {word!r}?)"
    assert nearest(word, ["XXXX", "YYYYYY"]) == nearest(word, []) == ""
