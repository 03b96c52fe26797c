"""A path says where in a row a value stands, and leads there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.errors import DataError
from maskwright.records.field_path import Path, parse, reach, spell

names = st.text(st.characters(exclude_characters=".", codec="utf-8"), min_size=1, max_size=6).filter(
    lambda name: not name.endswith("[]")
)
paths = st.lists(st.tuples(names, st.booleans()), min_size=1, max_size=4)


@given(paths)
@settings(deadline=None, max_examples=40)
def test_a_path_that_is_spelled_out_is_read_as_it_was(path: Path) -> None:
    assert parse(spell(path), []) == path


@given(st.text(), st.lists(st.text(), max_size=3))
@settings(deadline=None, max_examples=40)
def test_whatever_is_written_is_repeated_letter_by_letter_in_messages(written: str, columns: list[str]) -> None:
    assert spell(parse(written, columns)) == written


@given(names, names)
@settings(deadline=None, max_examples=40)
def test_a_column_whose_own_name_has_a_dot_or_brackets_is_taken_as_it_is(a: str, b: str) -> None:
    for column in (f"{a}.{b}", f"{a}[]", f"{a}[].{b}"):
        assert reach({column: "here", a: [{b: "not here"}]}, parse(column, [a, column]), "") == ["here"]


@given(paths, st.integers(0, 3))
@settings(deadline=None, max_examples=40)
def test_a_path_leads_to_every_value_in_the_order_of_the_row(path: Path, many: int) -> None:
    placed: list[str] = []

    def build(rest: Path) -> Any:
        if not rest:
            placed.append(f"value {len(placed)}")
            return placed[-1]
        (name, walked), inner = rest[0], rest[1:]
        return {"beside": "another", name: [build(inner) for _ in range(many)] if walked else build(inner)}

    assert reach(build(path), path, "a.jsonl:1") == placed


def test_a_list_that_is_missing_or_empty_has_no_values_and_a_name_that_is_missing_stands_as_none() -> None:
    path = parse("turns[].text", ["turns"])
    rows: list[dict[str, Any]] = [{}, {"turns": None}, {"turns": []}]
    for row in rows:
        assert reach(row, path, "") == []
    assert reach({"turns": [{"text": "hi"}, {}, {"text": None}]}, path, "") == ["hi", None, None]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"turns": {"text": "hi"}}, r"a.jsonl:7: 'turns' is marked \[\] in 'turns\[\].text' but holds dict"),
        ({"turns": ["hi"]}, r"a.jsonl:7: 'turns\[\].text' doesn't reach: 'text' is asked of str"),
    ],
)
def test_a_row_of_another_form_is_named_with_its_place(row: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=f"^{words}$"):
        reach(row, parse("turns[].text", ["turns"]), "a.jsonl:7")
