"""A call that takes long is left by a signal at once, and gives what it gives otherwise."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from maskwright.system.interruptible import interruptible


def test_it_gives_and_raises_what_the_work_does() -> None:
    assert interruptible(lambda: 6 * 7) == 42
    with pytest.raises(ZeroDivisionError):
        interruptible(lambda: 1 / 0)
    found: list[str] = []
    thread = threading.Thread(
        target=lambda: found.append(interruptible(lambda: threading.current_thread().name)), name="other"
    )
    thread.start()
    thread.join()
    assert found == ["other"]  # it hears no signals, and nothing is gained by one more


def test_a_signal_ends_the_waiting() -> None:
    class Asked(Exception):
        pass

    def heard(number: int, frame: object) -> None:
        raise Asked

    released = threading.Event()
    before = signal.signal(signal.SIGUSR1, heard)
    try:
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        begun = time.monotonic()
        with pytest.raises(Asked):
            interruptible(lambda: released.wait(30))
        assert time.monotonic() - begun < 10
    finally:
        released.set()
        signal.signal(signal.SIGUSR1, before)
