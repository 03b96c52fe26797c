"""A record is known by its content, and named by where it stands."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.modalities.text.value import TEXT
from maskwright.records.record import Origin, Record, content, fold_key
from tests.conftest import text_records

texts = st.text(st.characters(codec="utf-8"))
origins = st.builds(Origin, st.text(max_size=5), st.sampled_from(["", "row "]), st.sampled_from(["", "7", "7[0]"]))


def test_ids_depend_on_content_alone() -> None:
    a, b = text_records(["same", "same"])
    assert a.id == b.id
    assert a.id != text_records("other")[0].id


@given(texts, texts, origins, origins, st.text(max_size=5))
@settings(deadline=None, max_examples=40)
def test_equal_values_have_one_id_in_any_file_and_group_and_others_another(
    value: str, other: str, here: Origin, there: Origin, group: str
) -> None:
    one, same = Record(value, here), Record(value, there, group)
    assert one.id == same.id
    assert len(one.id) == 16
    assert int(one.id, 16) == one.key < 2**64
    assert (Record(other, here).id == one.id) == (other == value)


def test_ids_that_users_have_written_down_stay_what_they_are() -> None:
    known = {"": "b4b2797457a0a6e4", "maskwright": "61d16321b2d662eb", "Grüße": "92a39084b758ab06"}
    assert {value: Record(value, Origin("")).id for value in known} == known


@given(texts)
@settings(deadline=None, max_examples=40)
def test_texts_that_differ_in_white_space_alone_are_copies_with_ids_of_their_own(value: str) -> None:
    plain, spaced = (Record(text, Origin("a.txt")) for text in (value, f" \n{value}  "))
    assert fold_key(plain, TEXT.fold(plain.value)) == fold_key(spaced, TEXT.fold(spaced.value))
    assert fold_key(plain, None) == plain.key != spaced.key
    assert content(value) == value.encode()


def test_a_place_is_named_as_a_person_looks_for_it() -> None:
    row = Origin("tickets.parquet", "row ", "12")
    assert str(row.item(0)) == "tickets.parquet:row 12[0]"
    assert str(row.item(0).part("0:500")) == "tickets.parquet:row 12[0][0:500]"
    assert str(Origin("a.txt", "", "3")) == "a.txt:3"
    assert str(Origin("query[0]")) == "query[0]"
