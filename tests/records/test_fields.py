"""The field that holds the records is found or named, and what stands in one row stays together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.errors import DataError
from maskwright.modalities.text.value import TEXT
from maskwright.records.fields import FieldPicker, NoColumn
from maskwright.records.notices import unheard
from maskwright.records.read import Source, read
from maskwright.records.record import Origin
from tests.records.written import jsonl, values


def test_a_path_reaches_into_nested_records_and_a_row_is_a_group(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(
        json.dumps({"id": 1, "turns": [{"text": "hi"}, {"text": "bye"}]}) + "\n" + json.dumps({"id": 2, "turns": []})
    )
    records = list(read(Source(paths=(str(path),), value_type=TEXT, field="turns[].text")))
    assert [r.value for r in records] == ["hi", "bye"]
    assert records[0].group == records[1].group
    assert records[0].source != records[1].source


def test_a_column_may_have_a_dot_and_the_first_rows_may_be_empty(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("review.text,stars\n,5\nvery good,4\n")
    assert values(path) == values(path, field="review.text") == ["very good"]
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": null, "label": "x"}\n{"text": "a", "label": "y"}\n')
    assert values(path, on_bad="skip") == ["a"]


def test_group_names_what_belongs_together(tmp_path: Path) -> None:
    jsonl(tmp_path / "a.jsonl")
    groups = [r.group for r in read(Source(paths=(str(tmp_path / "a.jsonl"),), value_type=TEXT, group="who"))]
    assert groups == ["p0", "p1", "p0", "p1", "p0"]


@given(st.permutations(["text", "title", "author"]))
@settings(deadline=None, max_examples=40)
def test_the_field_of_the_usual_name_is_taken_whatever_else_holds_texts(columns: list[str]) -> None:
    rows = [{column: f"the {column}" for column in columns}]
    assert picked(FieldPicker("a.csv", [], rows, None, None, TEXT), rows[0])[0] == ["the text"]
    with pytest.raises(DataError, match="several columns hold text") as caught:
        FieldPicker("a.csv", [], [{f"{column}_": value for column, value in rows[0].items()}], None, None, TEXT)
    assert caught.value.option == "field"


def test_a_usual_field_that_holds_something_else_is_an_error_and_no_other_is_guessed() -> None:
    with pytest.raises(NoColumn, match=r"a.csv: column 'text' holds no text; name one with `field`; there are: text, said"):
        FieldPicker("a.csv", [], [{"text": 5, "said": "hello"}], None, None, TEXT)


@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=2, max_size=5), st.integers(1, 9), st.integers(1, 9))
@settings(deadline=None, max_examples=40)
def test_equal_rows_are_one_group_wherever_they_stand_and_other_rows_are_another(said: list[str], a: int, b: int) -> None:
    row, other = {"turns": said}, {"turns": [*said, "and more"]}
    picker = FieldPicker("a.jsonl", [], [row, other], "turns[]", None, TEXT)
    assert picked(picker, row, f"{a}")[1] == picked(picker, row, f"{b}")[1]
    assert picked(picker, row, f"{a}")[1] != picked(picker, other, f"{a}")[1]


def test_what_cant_be_read_of_a_row_is_told_with_its_place_and_the_rest_is_kept() -> None:
    row = {"turns": [{"text": "hi"}, {"text": 5}, {"text": " "}, {"text": "bye"}]}
    picker, told = FieldPicker("a.jsonl", [], [row], "turns[].text", None, TEXT), list[DataError]()
    found, _ = picker.pick(row, Origin("a.jsonl", "", "3"), unheard, told.append)
    assert [(value, str(origin)) for value, origin in found] == [
        ("hi", "a.jsonl:3[0]"), (None, "a.jsonl:3[1]"), (None, "a.jsonl:3[2]"), ("bye", "a.jsonl:3[3]"),
    ]  # fmt: skip
    assert [str(error) for error in told] == [
        "a.jsonl:3[1]: field 'turns[].text' holds int, not text; mend it, name another with `field`"
    ]


def test_a_group_that_is_no_text_costs_its_row() -> None:
    rows = [{"g": "\ud800", "text": "one"}, {"g": "ä", "text": "two"}]
    picker, told = FieldPicker("a.jsonl", [], rows, "text", "g", TEXT), list[DataError]()
    found = [picker.pick(row, Origin("a.jsonl", "", "1"), unheard, told.append) for row in rows]
    assert [[value for value, _ in values] for values, _ in found] == [[], ["two"]]
    assert "half a surrogate pair" in str(told[0])


def picked(picker: FieldPicker, row: dict[str, Any], number: str = "1") -> tuple[list[str], str]:
    """The values of a row in which all can be read, and their group."""
    told: list[DataError] = []
    found, group = picker.pick(row, Origin("a.jsonl", "", number), unheard, told.append)
    assert not told
    return [value for value, _ in found], group
