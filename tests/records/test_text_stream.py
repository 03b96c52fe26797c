"""Bytes become texts in three grains, and what is no text is named with its offset."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.errors import DataError
from maskwright.modalities.text.value import TEXT
from maskwright.records.read import Source, read
from maskwright.records.table import Layout
from maskwright.records.text_stream import GRAINS, Guard, TextStream, encoding_of, pieces, split_lines
from tests.records.written import values

ENDS = r"\r\n|\n|\r"
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
    numbered = re.split("(?<=\n)|(?<=\r)(?!\n)", text.removeprefix("\ufeff"))
    for grain in ("line", "paragraph"):
        found = cut(text, grain)
        for piece, line in found:
            assert line is not None
            assert "".join(numbered[line - 1 :]).startswith(piece)
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
    line = "" if grain == "file" else f":{len(re.findall(ENDS, before)) + 1}"
    assert error.where == f"a.txt{line}"


@given(texts, st.sampled_from(["utf-8-sig", "utf-16", "utf-32", "utf-16-be", "utf-16-le"]))
@settings(deadline=None, max_examples=40)
def test_text_is_text_in_whatever_encoding_it_says_it_has(text: str, encoding: str) -> None:
    mark = "" if encoding in ("utf-8-sig", "utf-16", "utf-32") else "\ufeff"
    told: list[DataError] = []
    assert TextStream.of("a.txt", io.BytesIO((mark + text).encode(encoding)), told.append).whole() == text
    assert not told


@given(
    st.lists(st.text("abc é", min_size=1, max_size=9).filter(str.strip), min_size=1), st.sampled_from(["\n", "\r\n", "\r"])
)
@settings(deadline=None, max_examples=40)
def test_lines_are_lines_whatever_their_ends_and_encoding(said: list[str], end: str) -> None:
    text = "".join(line + end for line in said)
    for encoding in ("utf-8", "utf-16", "utf-16-le", "utf-32-be"):
        content = text.encode(encoding)
        if encoding == "utf-8" or "a" in text:
            told: list[DataError] = []
            found = list(pieces("a.txt", io.BytesIO(content), "line", told.append, encoding))
            assert found == [(line, number) for number, line in enumerate(said, 1)]
            assert not told


@given(st.lists(st.sampled_from([b"a", b"\r", b"\n", b"bc"]), max_size=30), st.integers(1, 5))
def test_lines_are_the_same_however_a_stream_is_cut(parts: list[bytes], size: int) -> None:
    class Slow(io.BytesIO):
        def read1(self, most: int | None = -1) -> bytes:
            return self.read(size)

    whole = b"".join(parts)
    assert list(split_lines(Slow(whole))) == whole.splitlines(keepends=True)


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("id,text\n1,plain".encode("utf-16-le"), "UTF-16-LE"),
        ("id,text\n1,plain".encode("utf-32-be"), "UTF-32-BE"),
        (b"\x00\x01\x02\x03binary\x00", "UTF-8"),
        (b"text\0with a byte", "UTF-8"),
        (b"", "UTF-8"),
    ],
)
def test_an_encoding_is_known_by_its_mark_or_its_zeros(content: bytes, encoding: str) -> None:
    assert encoding_of(content) == encoding


def test_other_encodings_are_declared_never_guessed(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("Größe\nfine\n€ 5\n".encode("cp1252"))
    with pytest.raises(DataError, match=r'invalid UTF-8 in 3 places.*encoding="cp1252"'):
        values(path, grain="file")
    assert values(path, layout=Layout(encoding="cp1252")) == ["Größe", "fine", "€ 5"]
    path.write_bytes(b"fine\n\x81 is nothing\nlast\n")
    said: list[str] = []
    kept = values(path, layout=Layout(encoding="cp1252"), on_bad="skip", on_skipped=lambda notice: said.append(str(notice)))
    assert (kept, len(said)) == (["fine", "last"], 1)
    assert f"{path}:2: invalid cp1252 in 1 place" in said[0]
    with pytest.raises(DataError, match="no such encoding"):
        values(path, layout=Layout(encoding="klingon").checked())


def test_a_paragraph_with_a_line_that_cant_be_read_is_left_out_whole() -> None:
    told: list[DataError] = []
    content = b"one\ntwo \xff\nthree\n\nnext\n"
    assert list(pieces("a.txt", io.BytesIO(content), "paragraph", told.append)) == [("next", 5)]
    assert [error.where for error in told] == ["a.txt:2"]


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


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.pdf", b"%PDF-1.7\n" + bytes(range(256)), "a PDF document, not text; take its text out first"),
        ("a.txt", b"PK\x03\x04\0\0" * 50, "a zip archive, or a document of an office program, not text"),
        ("a.mov", b"\0\0\0\x18ftypqt  " + bytes(300), "a video, not text"),
        ("a.md", b"\0\0\0\x18ftypheic" + bytes(300), "a photograph (HEIC or AVIF), not text"),
    ],
)
def test_a_file_of_another_kind_is_called_what_it_is_once(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "b.txt").write_text("MZ is no program here")
    said: list[str] = []
    kept = values(tmp_path, on_bad="skip", on_skipped=lambda notice: said.append(str(notice)))
    assert kept == ["MZ is no program here"]
    assert len(said) == 1
    assert words in said[0]
