"""Kernels are built once and kept; where they can't be, everything works without."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from maskwright.nets import native


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that has built nothing yet; what the process had loaded comes back at the end."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(native, "library", native.library.__wrapped__)
    monkeypatch.setattr(native, "FLAGS", tuple("-O0" if flag == "-O3" else flag for flag in native.FLAGS))  # sooner built
    return tmp_path


def test_a_second_process_finds_what_the_first_built(fresh: Path) -> None:
    assert native.library()[0]
    (built,) = (fresh / "cache" / "maskwright").glob("*.so")
    before = built.stat().st_mtime_ns
    assert native.library()[0]
    assert built.stat().st_mtime_ns == before


def test_without_a_compiler_it_says_so(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(fresh))
    monkeypatch.delenv("CXX", raising=False)
    found, why = native.library()
    assert found is None
    assert "g++" in why


def test_a_compiler_that_fails_is_no_reason_to_stop(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = fresh / "broken"
    broken.write_text('#!/bin/sh\n[ "$1" = --version ] && exit 0\necho no header >&2; exit 1\n')
    broken.chmod(broken.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CXX", str(broken))
    assert native.library()[0]  # another one could
    monkeypatch.setenv("PATH", str(fresh))
    shutil.rmtree(fresh / "cache")
    found, why = native.library()
    assert found is None
    assert "no header" in why
    assert not list((fresh / "cache").rglob("*.so"))


def test_what_cannot_be_kept_is_built_elsewhere(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", os.devnull)
    monkeypatch.setattr(native.tempfile, "gettempdir", lambda: str(fresh))
    assert native.library()[0]


def test_a_folder_that_others_may_write_to_is_not_trusted(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_to_all = fresh / "cache" / "maskwright"
    open_to_all.mkdir(parents=True)
    open_to_all.chmod(0o777)
    monkeypatch.setattr(native.tempfile, "gettempdir", lambda: str(fresh))
    assert native.library()[0]
    assert not list(open_to_all.iterdir())


def test_a_user_without_a_home_folder_has_kernels_too(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", nobody)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(fresh / "tmp"))
    assert native.library()[0]
