"""Whole files or none: writing that a kill, a full disk or a power cut can't leave half done.

In: bytes and a path. Out: the file with all of them, or as it was before. Knows nothing of what it writes.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from maskwright.errors import RunError

LOCK = ".maskwright.lock"


def write_whole(path: Path, data: bytes) -> None:
    """Replaces `path` by a file that holds `data`, by way of a fsynced sibling and a rename. Raises OSError."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def clear_leftovers(folder: Path) -> None:
    """Temporary files, and folders, of a process that was killed while writing."""
    for path in [*folder.rglob(".*.tmp")]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path, patience: float = 10.0) -> Iterator[None]:
    """Holds `folder` for this process alone; waits for up to `patience` seconds. Raises RunError when it stays taken.

    The lock goes with the process, however it ends, and is not inherited by those that it starts.
    """
    handle = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
    try:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise RunError("another process is training there", where=folder, fix="wait for it, or end it") from None
                time.sleep(0.1)
        yield
    finally:
        os.close(handle)
