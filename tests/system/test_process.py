"""A run stops when it is asked to, and leaves the process as it was."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import threading

import pytest
import torch

from maskwright.errors import Interrupted
from maskwright.system.process import flush_denormals, stoppable

SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_request_is_polite_and_the_second_ends_the_run(number: signal.Signals) -> None:
    with stoppable() as stop:
        stop.politely()
        os.kill(os.getpid(), number)
        assert stop.asked
        with pytest.raises(Interrupted, match="in the middle of a step; the same command with resume=True goes on from"):
            os.kill(os.getpid(), number)


def test_a_request_ends_at_once_what_has_nothing_to_save() -> None:
    with stoppable() as stop:
        with pytest.raises(Interrupted, match="before the first step; the same command with resume=True begins again"):
            os.kill(os.getpid(), signal.SIGTERM)
        stop.politely()
        stop.at_once("stopped while calibrating")
        with pytest.raises(Interrupted, match=r"^stopped while calibrating$"):
            os.kill(os.getpid(), signal.SIGINT)
        assert not stop.asked


def test_signals_do_afterwards_what_they_did_before_even_after_an_error() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]

    def run() -> None:
        with stoppable() as stop:
            assert [signal.getsignal(number) for number in SIGNALS] == [stop, stop]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run()
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_a_run_on_another_thread_leaves_signals_alone() -> None:
    before, found = [signal.getsignal(number) for number in SIGNALS], list[bool]()

    def run() -> None:
        with stoppable() as stop:
            found.append(stop.asked or [signal.getsignal(number) for number in SIGNALS] != before)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [False]


def test_tiny_numbers_are_zero_inside_and_themselves_again_outside() -> None:
    if not torch.set_flush_denormal(False):
        pytest.skip("this chip always counts them")
    tiny = torch.full((100,), 1e-39)

    def run() -> None:
        with flush_denormals():
            assert not (tiny * 0.5).any()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run()
    assert (tiny * 0.5).all()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks glibc")
def test_memory_that_was_given_back_stays_with_the_process_and_is_used_again() -> None:
    code = """
from maskwright.system.process import keep_memory
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6
keep_memory()
for _ in range(5):
    block = bytearray(b"x") * 40_000_000
    held = resident()
    del block
    print(held, resident())
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    rounds = [tuple(map(float, line.split())) for line in said.splitlines()]
    assert len(rounds) == 5
    for held, left in rounds:
        assert left > held - 10
        assert held < rounds[0][0] + 10
