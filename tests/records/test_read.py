"""Folders and tables become records; what can't be read is one line that names it."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from maskwright.errors import DataError
from tests.records.written import jsonl, values


def test_a_text_file_in_a_folder_is_one_record_and_code_keeps_its_white_space(tmp_path: Path) -> None:
    code = "def f():\n\treturn 1  \n\n"
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.py").write_text(code)
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("never read")
    assert values(tmp_path) == ["one\ntwo\n", code]


def test_rows_stay_rows(tmp_path: Path) -> None:
    jsonl(tmp_path / "a.jsonl")
    with pytest.raises(DataError, match='record="line" is for plain text; of a table, every row is a record'):
        values(tmp_path / "a.jsonl", grain="line")


BAD = {
    "no.txt": (b"\n \n", "no records"),
    "binary.txt": (b"ok\nab\x00c\x00d\n", "2 NUL bytes, the first at offset 5"),
    "latin.txt": ("fine\nGrün\n".encode("latin-1"), "invalid UTF-8 in 1 place, the first at offset 7 (byte 0xfc)"),
    "bad.jsonl": (b'{"text": "a"}\n{"text": \n', "bad.jsonl:2: not JSON"),
    "list.jsonl": (b"[1]\n", "list.jsonl:1: expected a JSON object, got list"),
    "missing.jsonl": (b'{"text": "a"}\n{"other": "b"}\n', "missing.jsonl:2: field 'text' is missing"),
    "number.jsonl": (b'{"text": "a"}\n{"text": 5}\n', "number.jsonl:2: field 'text' holds int, not text"),
    "ragged.csv": (b"text,b\none,1\ntwo\n", "ragged.csv:3: ragged row: 1 field where the header has 2"),
    "twins.csv": (b"a,a\nx,y\n", "several columns hold text (a, a.2)"),
    "two.csv": (b"a,b\nx,y\n", "several columns hold text (a, b); name one with `field`; there are: a, b"),
    "surrogate.jsonl": (b'{"text": "\\ud800"}\n', "surrogate.jsonl:1: holds half a surrogate pair"),
    "none.csv": (b"a,b\n1,2\n", "no column holds text; name one with `field`; there are: a, b"),
    "cut.parquet": (b"PAR1 and then nothing", "not a readable Parquet file"),
    "cut.arrow": (b"ARROW1 and then nothing", "not a readable Arrow file"),
    "cut.jsonl.gz": (gzip.compress(b'{"text": "a"}\n' * 1000)[:40], "can't be read"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cant_be_read_is_named_in_one_line(tmp_path: Path, name: str) -> None:
    content, words = BAD[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        values(tmp_path / name)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)
    assert str(caught.value).count('on_bad="skip"') <= 1


def test_skipping_keeps_the_rest_and_reports(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "a"}\nnope\n{"text": "\xff"}\n{"text": 3}\n{"text": "z"}\n')
    said: list[str] = []
    assert values(path, on_bad="skip", on_skipped=lambda notice: said.append(str(notice))) == ["a", "z"]
    assert [line.split(":")[1] for line in said] == ["2", "3", "4"]


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        values(tmp_path / "nothing.csv")
    with pytest.raises(DataError, match="no records"):
        values(tmp_path)
    jsonl(tmp_path / "a.jsonl")
    with pytest.raises(DataError, match=r"no column 'txt' for `field` \(did you mean 'text'\?\); it has: n, text, who"):
        values(tmp_path / "a.jsonl", field="txt")
