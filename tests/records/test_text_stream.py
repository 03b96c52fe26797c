"""Bytes become texts in three grains, and what is no text is named with its offset."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.errors import DataError
from maskwright.modalities.text.value import TEXT
from maskwright.records.read import Source, read
from maskwright.records.utf8 import GRAINS, Guard, decoded, pieces
from tests.records.written import values

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0\ufffd"))
lines = st.lists(st.sampled_from(["", "  ", "one", " two ", "drei\r", "\u2028"]), max_size=12).map("\n".join)


def cut(text: str, grain: str) -> list[tuple[str, int | None]]:
    """The pieces of a text in which there is nothing bad."""
    told: list[DataError] = []
    found = [*pieces("a.txt", io.BytesIO(text.encode()), grain, told.append)]
    assert not told
    return found


def test_lines_paragraphs_and_files(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("\ufeffone\ntwo\r\n\n\n  three\n")
    assert values(path) == ["one", "two", "  three"]
    assert values(path, grain="paragraph") == ["one\ntwo", "  three"]
    assert values(path, grain="file") == ["one\ntwo\r\n\n\n  three\n"]
    assert [str(r.source) for r in read(Source(paths=(str(path),), value_type=TEXT))] == [f"{path}:{n}" for n in (1, 2, 5)]


@given(st.one_of(texts, lines))
@settings(deadline=None, max_examples=40)
def test_lines_and_paragraphs_hold_all_that_the_file_does_and_none_is_blank(text: str) -> None:
    words = text.removeprefix("\ufeff").split()
    for grain in GRAINS:
        found = [piece for piece, _ in cut(text, grain)]
        assert " ".join(found).split() == words
        assert all(map(str.strip, found))


@given(st.one_of(texts, lines))
@settings(deadline=None, max_examples=40)
def test_a_piece_begins_on_the_line_that_is_said(text: str) -> None:
    numbered = text.removeprefix("\ufeff").split("\n")
    for grain in ("line", "paragraph"):
        found = cut(text, grain)
        for piece, line in found:
            assert line is not None
            assert "\n".join(numbered[line - 1 :]).startswith(piece)
        assert [line for _, line in found] == sorted({line for _, line in found if line})
    assert all(line is None for _, line in cut(text, "file"))


@given(texts, texts, st.sampled_from([b"\xff", b"\0", b"\xc3"]), st.sampled_from(GRAINS))
@settings(deadline=None, max_examples=40)
def test_the_first_byte_that_is_no_text_is_named_with_its_offset_in_the_file(
    before: str, after: str, bad: bytes, grain: str
) -> None:
    told: list[DataError] = []
    list(pieces("a.txt", io.BytesIO(before.encode() + bad + after.encode()), grain, told.append))
    (error,) = told
    assert f" the first at offset {len(before.encode())} " in error.what + " "
    line = "" if grain == "file" else f":{before.count(chr(10)) + 1}"
    assert error.where == f"a.txt{line}"


@given(texts)
@settings(deadline=None, max_examples=40)
def test_text_is_text_without_its_mark(text: str) -> None:
    told: list[DataError] = []
    assert decoded(text.encode("utf-8-sig"), "a.txt", told.append) == text
    assert decoded(text.encode("utf-8-sig"), "a.txt", told.append, mark=False) == "\ufeff" + text
    assert not told


def test_a_damaged_file_is_one_error_that_names_it_and_other_errors_pass(tmp_path: Path) -> None:
    told: list[DataError] = []
    cut_short = gzip.compress(bytes(range(256)) * 100)[:60]
    with Guard("a.gz", told.append):
        gzip.decompress(cut_short)
    with Guard("b.z", told.append, "not readable"):
        zlib.decompress(cut_short)
    with Guard("here", told.append):
        (tmp_path / "nothing").read_bytes()
    assert [str(error).partition(": ")[0] for error in told] == ["a.gz", "b.z", "here"]
    assert str(told[2]) == "here: can't be read: No such file or directory"
    assert not any("\n" in str(error) for error in told)
    for kind in (BrokenPipeError, KeyError):  # nobody reads what is printed; a mistake of ours
        with pytest.raises(kind), Guard("a.txt", told.append):
            raise kind
    assert len(told) == 3
