"""A folder is walked in one order on any machine, and what no person keeps there is passed by."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.errors import DataError
from maskwright.records.walk import files

NAMES = ("a", "B", "b.txt", "ä", "10", "9", "sub/c", "sub/deeper/d", "Z/c", "z/y")


def made(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def found(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in files(folder)]


@given(st.permutations(NAMES))
@settings(deadline=None, max_examples=20)
def test_the_order_is_that_of_names_however_the_files_came_there(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made(Path(folder), *names)
        assert found(Path(folder)) == ["10", "9", "B", "a", "b.txt", "ä", "Z/c", "sub/c", "sub/deeper/d", "z/y"]


def test_what_is_hidden_or_made_by_tools_is_passed_by(tmp_path: Path) -> None:
    made(tmp_path, "kept.txt", ".hidden", ".git/config", "code/__pycache__/a.pyc", "code/a.py", "web/node_modules/b.js")
    assert found(tmp_path) == ["kept.txt", "code/a.py"]


def test_models_and_runs_among_the_data_are_passed_by_but_not_a_folder_that_is_asked_for(tmp_path: Path) -> None:
    made(tmp_path, "a.txt", "model/maskwright.json", "model/README.md", "run/.maskwright.lock", "run/shards/b.txt")
    assert found(tmp_path) == ["a.txt"]
    assert found(tmp_path / "run") == ["shards/b.txt"]
    assert found(tmp_path / "model") == ["README.md", "maskwright.json"]


def test_links_are_followed_once_and_one_that_leads_nowhere_is_given_out(tmp_path: Path) -> None:
    made(tmp_path, "data/a.txt", "elsewhere/b.txt")
    data = tmp_path / "data"
    (data / "up").symlink_to(data)
    (data / "first").symlink_to(tmp_path / "elsewhere")
    (data / "second").symlink_to(tmp_path / "elsewhere")
    (data / "c.txt").symlink_to(tmp_path / "elsewhere" / "b.txt")
    (data / "nowhere").symlink_to(tmp_path / "nothing")
    assert found(data) == ["a.txt", "c.txt", "nowhere", "first/b.txt"]


def test_a_pipe_among_the_files_is_not_waited_for(tmp_path: Path) -> None:
    made(tmp_path, "a.txt")
    os.mkfifo(tmp_path / "pipe")
    assert found(tmp_path) == ["a.txt"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing: No such file or directory; make it readable, or leave it out"):
        found(tmp_path / "nothing")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cant_be_read_is_named(tmp_path: Path) -> None:
    made(tmp_path, "a.txt", "private/b.txt")
    (tmp_path / "private").chmod(0)
    try:
        with pytest.raises(DataError, match="private: Permission denied; make it readable, or leave it out"):
            found(tmp_path)
    finally:
        (tmp_path / "private").chmod(0o755)
