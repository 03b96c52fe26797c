"""A file is whole or as it was, and a folder has one owner, however a process ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from maskwright.errors import RunError
from maskwright.system.atomic_files import clear_leftovers, locked, write_whole


def python(code: str, path: Path) -> subprocess.CompletedProcess[str]:
    """A process of its own, told of a path."""
    return subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)


def test_a_kill_between_write_and_rename_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    write_whole(path, b"old")
    code = """
import os, pathlib, signal, sys
from maskwright.system.atomic_files import write_whole
os.replace = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)
write_whole(pathlib.Path(sys.argv[1]), b"new" * 100_000)
"""
    assert python(code, path).returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    assert len([*tmp_path.iterdir()]) == 2
    clear_leftovers(tmp_path)
    assert [*tmp_path.iterdir()] == [path]
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_disk_without_room_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    write_whole(path, b"old")
    code = """
import pathlib, resource, sys
from maskwright.system.atomic_files import write_whole
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_whole(pathlib.Path(sys.argv[1]), b"new" * 100_000)
except OSError as error:
    print(error.strerror)
"""
    assert python(code, path).stdout == "File too large\n"
    assert path.read_bytes() == b"old"
    assert [*tmp_path.iterdir()] == [path]


def test_whoever_reads_meanwhile_sees_one_file_or_the_other_and_never_a_mix(tmp_path: Path) -> None:
    path, seen, done = tmp_path / "model.json", set[bytes](), threading.Event()
    whole = [bytes([letter]) * 300_000 for letter in b"abc"]
    write_whole(path, whole[0])

    def read() -> None:
        while not done.is_set():
            seen.add(path.read_bytes())

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(20):
        write_whole(path, whole[number % 3])
    done.set()
    for reader in readers:
        reader.join()
    assert seen
    assert seen <= set(whole)


def test_leftovers_go_at_any_depth_and_all_else_stays(tmp_path: Path) -> None:
    kept = [tmp_path / name for name in ("a.tmp", ".hidden", "sub/weights.bin", "sub/.keep/b.tmp")]
    left = [tmp_path / name for name in (".a.tmp", "sub/.weights.bin.tmp", ".model.tmp/inside.bin", "sub/.keep/.b.tmp")]
    for path in (*kept, *left):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    clear_leftovers(tmp_path)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == set(kept)


def test_a_folder_that_another_process_holds_is_named_and_free_again_when_that_is_killed(tmp_path: Path) -> None:
    code = """
import pathlib, sys
from maskwright.system.atomic_files import locked
with locked(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RunError, match="another process is training there; wait for it, or end it") as caught:
            locked(tmp_path, patience=0).__enter__()
        assert caught.value.where == str(tmp_path)
        other.kill()
    with locked(tmp_path, patience=0):
        pass


def test_a_process_that_was_started_meanwhile_does_not_hold_the_folder_on(tmp_path: Path) -> None:
    with locked(tmp_path):
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False)
    with locked(tmp_path, patience=0):
        assert child.poll() is None
    child.communicate()
