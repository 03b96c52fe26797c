"""Of many notices a user reads the first few, each once, and how many there were."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.errors import MaskwrightWarning, option
from maskwright.records.notices import NAMED, Notice, Notices, unheard, warn

some = st.lists(st.builds(Notice, st.sampled_from("abcd"), st.sampled_from(["", "a.csv:1", "a.csv:2"])), max_size=40)


@given(some)
@settings(deadline=None, max_examples=40)
def test_the_first_few_are_passed_on_once_each_and_all_are_counted(given_: list[Notice]) -> None:
    heard: list[Notice] = []
    notices, distinct = Notices(heard.append), [*dict.fromkeys(given_)]
    for notice in given_:
        notices(notice)
    assert heard == distinct[:NAMED]
    assert notices.count == len(distinct)
    assert notices.first == (distinct[0] if distinct else None)


@given(some)
@settings(deadline=None, max_examples=40)
def test_files_that_are_read_twice_are_told_of_once(given_: list[Notice]) -> None:
    once, twice = Notices(unheard), Notices(unheard)
    for notice in given_:
        once(notice)
    for notice in given_ * 2:
        twice(notice)
    assert twice.count == once.count
    assert twice.summary("records") == once.summary("records")


@pytest.mark.parametrize(("count", "said"), [(0, ""), (5, ""), (6, "6 records in all"), (1234, "1,234 records in all")])
def test_a_summary_is_given_where_not_all_were_passed_on(count: int, said: str) -> None:
    notices = Notices(unheard)
    for number in range(count):
        notices(Notice("is no text", f"a.csv:{number}"))
    assert notices.summary("records") == said


def test_python_is_warned_with_the_place_first_and_options_as_it_spells_them() -> None:
    notice = Notice(f"is cut; {option('record', 'line')} keeps all", "a.txt")
    with pytest.warns(MaskwrightWarning) as caught:
        warn(notice)
    (warning,) = caught
    assert str(warning.message) == str(notice) == 'a.txt: is cut; record="line" keeps all'
