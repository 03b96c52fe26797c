"""The docstrings that the demo finds, and a demo that there isn't."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest

from maskwright.cli.demos import demo, text
from maskwright.errors import RecipeError
from maskwright.system.progress import unwatched

MODULE = '''"""What this module is for, in a line."""

class Thing:
    """A thing that has something to say."""

    def short(self):
        """Too short."""

    def said(self):
        """Says what it has to say."""

    async def later(self):
        """Says it at another time."""
'''
SAID = ["What this module is for, in a line.", "A thing that has something to say.", "Says what it has to say.",
        "Says it at another time."]  # fmt: skip


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A path on which there are a package and a module, and what looks like one and is not."""
    for name, contents in {
        "good/__init__.py": MODULE, "good/inner/deep.py": MODULE, "good/tests/test_it.py": MODULE, "alone.py": MODULE,
        "good/broken.py": '"""A docstring of a file that is no Python', "nothing/readme.txt": MODULE, "no/module.py": MODULE,
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(contents)
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(tmp_path / "missing"), ""])
    return tmp_path


def test_docstrings_of_packages_and_modules_are_found_and_those_of_tests_are_not(installed: Path) -> None:
    found = list(text.collect())
    assert {Path(doc.file).relative_to(installed).as_posix() for doc in found} == {
        "good/__init__.py",
        "good/inner/deep.py",
        "alone.py",
    }
    assert {doc.package for doc in found} == {"good", "alone"}
    assert sorted(doc.text for doc in found) == sorted(SAID * 3)


def test_it_stops_where_there_is_enough(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "SCAN_BYTES", 1)
    assert 0 < len(list(text.collect())) < len(SAID * 3)  # a file of each package in turn


def test_here_packages_are_installed_that_have_something_to_say() -> None:
    found = list(itertools.islice(text.collect(), 60))
    assert len(found) == 60
    assert min(len(doc.text) for doc in found) >= 20
    assert len({doc.package for doc in found}) > 3


def test_a_demo_that_there_is_not_names_those_that_there_are() -> None:
    with pytest.raises(RecipeError, match=r'^modality="texts": there are demos of image, text \(did you mean \'text\'\?\)$'):
        demo("texts", unwatched)
