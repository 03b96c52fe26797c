"""JSON in any of its shapes gives rows; what can't be read costs itself."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.errors import DataError
from maskwright.records import json_rows
from maskwright.records.json_rows import JsonDocument, shape_of
from maskwright.records.table import Layout
from tests.records.written import values

TEXTS = [f"the stone number {i} lies near" for i in range(300)]
ROWS = [{"id": i, "text": text} for i, text in enumerate(TEXTS)]
SHAPES = {
    "lines": "".join(json.dumps(row) + "\n" for row in ROWS),
    "list": json.dumps(ROWS),
    "texts": json.dumps(TEXTS, indent=1),
    "object": json.dumps({"made": "today", "items": ROWS}),
    "pretty": json.dumps({"made": 3, "items": ROWS}, indent=2),
}


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_is_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(SHAPES[name])
    whole = shape_of(path, Layout()) == "object"
    assert values(path, field="items[].text" if whole else "text") == TEXTS
    if whole:
        with pytest.raises(DataError, match=r"items\[\]\.text"):
            values(path)
    else:
        assert values(path) == TEXTS


def test_in_a_folder_one_object_is_a_text_and_lists_are_rows(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"name": "x"}')
    (tmp_path / "rows.json").write_text(json.dumps(ROWS[:2]))
    assert values(tmp_path) == ['{"name": "x"}', *TEXTS[:2]]


@given(
    st.lists(st.recursive(st.text() | st.floats(allow_nan=False) | st.integers(), st.lists, max_leaves=4)),
    st.integers(1, 7), st.sampled_from([None, 2]),
)  # fmt: skip
@settings(deadline=None, max_examples=60)
def test_a_list_is_the_same_however_it_is_cut_in_blocks(cells: list[object], block: int, indent: int | None) -> None:
    rows = [{"cell": cell} for cell in cells]
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(json_rows, "BLOCK", block)
        path = Path(folder, "a.json")
        path.write_text(json.dumps(rows, indent=indent), encoding="utf-8")
        told: list[DataError] = []
        assert [row for row, *_ in JsonDocument(path, Layout(), True).rows(None, told.append)] == rows
        assert not told


def test_what_python_refuses_to_read_costs_its_own_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    deep = "[" * 100_000 + "]" * 100_000
    long = "9" * 5000
    path.write_text(f'{{"text": "one"}}\n{{"n": {deep}, "text": "deep"}}\n{{"n": {long}, "text": "two"}}\n')
    said: list[str] = []
    assert values(path, on_bad="skip", on_skipped=lambda notice: said.append(str(notice))) == ["one", "two"]
    assert [line.split(":")[1] for line in said] == ["2"]
    path = tmp_path / "a.json"
    path.write_text(f'[{{"n": {long}, "text": "one"}}, {{"text": "two"}}]')
    assert values(path) == ["one", "two"]


def test_a_list_that_breaks_keeps_what_came_before_and_says_where(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[{"text": "one"}, {"text": "two"}, {"text": three}, {"text": "four"}]')
    said: list[str] = []
    assert values(path, on_bad="skip", on_skipped=lambda notice: said.append(str(notice))) == ["one", "two"]
    assert said
    assert "element 3 of the list" in said[0]
    path.write_text('[{"text": "one"}, 5, {"text": "two"}]')
    assert values(path, on_bad="skip") == ["one", "two"]


def test_a_field_that_begins_late_is_found(tmp_path: Path) -> None:
    rows = [{"title": i} if i < 250 else {"title": i, "body": f"the body {i}"} for i in range(500)]
    for name, content in {
        "a.jsonl": "".join(json.dumps(row) + "\n" for row in rows), "a.json": json.dumps(rows),
    }.items():  # fmt: skip
        (tmp_path / name).write_text(content)
        for field in (None, "body"):
            kept = values(tmp_path / name, field=field, on_bad="skip")
            assert kept == [f"the body {i}" for i in range(250, 500)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('[{"text":"a b"} {"text":"c d"}]', "Expecting ',' delimiter in element 2 of the list"),
        ('[{"text":"a b"}] trailing', "something follows the end of the list"),
        ('[{"text":"a b"}]\n[{"text":"c d"}]', "something follows the end of the list"),
    ],
)
def test_what_is_no_list_of_json_is_said(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    said: list[str] = []
    assert values(path, on_bad="skip", on_skipped=lambda notice: said.append(str(notice))) == ["a b"]
    assert len(said) == 1
    assert words in said[0]
