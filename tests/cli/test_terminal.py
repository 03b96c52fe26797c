"""What a person sees while something runs is plain lines, in which options can be typed as they stand."""

from __future__ import annotations

import contextlib
import inspect
import io
from collections.abc import Callable

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

import maskwright as mw
from maskwright.cli.app import app
from maskwright.cli.terminal import ProgressBar, in_shell, say, warned
from maskwright.errors import MaskwrightWarning, option
from maskwright.system.progress import Progress


@pytest.mark.parametrize(
    ("name", "value", "typed"),
    [
        ("on_bad", "skip", "--on-bad skip"),
        ("resume", "True", "--resume"),
        ("out", "", "--out"),
        ("train.lr", "3e-4", "--set train.lr=3e-4"),
        ("train.lr", "", "--set train.lr"),
        ("settings", "", "--set"),
        ("n", "3", "-n 3"),
    ],
)
def test_an_option_is_spelled_as_a_shell_takes_it(name: str, value: str, typed: str) -> None:
    assert in_shell(name, value) == typed


@pytest.mark.parametrize(("verb", "function"), [("train", mw.train), ("plan", mw.plan), ("fill", mw.Model.fill)])
def test_what_an_option_is_called_in_an_error_is_what_the_command_takes(verb: str, function: Callable[..., object]) -> None:
    known = {flag for parameter in typer.main.get_command(app).commands[verb].params for flag in parameter.opts}  # type: ignore[attr-defined]
    named = set(inspect.signature(function).parameters) - {"self", "data", "query", "watch", "report"}
    assert {in_shell(name, "") for name in named} <= known


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), max_size=300))
@settings(deadline=None)
def test_a_line_is_said_as_it_is_however_long_or_bracketed(words: str) -> None:
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        say(f"[bold]{words}; {option('on_bad', 'skip')}")
    assert said.getvalue() == f"[bold]{words}; --on-bad skip\n"


def test_a_log_has_a_line_for_each_phase_and_every_notice(capsys: pytest.CaptureFixture[str]) -> None:
    look = {"nats": 4.0, "bits_per_byte": 1.5, "top1": 0.2, "top5": 0.4, "floor_neighbours": 2.0}
    with ProgressBar() as watch:
        for size in (1e6, 2e6, 3e6):
            watch(Progress("reading", size=size))
        watch(Progress("reading", notice=f"mend it, or {option('on_bad', 'skip')}"))
        watch(Progress("training", 0.5, line={"step": 7, "tokens_per_s": 12345.6, "loss": 3.21, "held_out": look}))
    said = [line.partition("] ")[2] or line for line in capsys.readouterr().err.splitlines()]
    assert said == [
        "reading 1.0 MB",
        "mend it, or --on-bad skip",
        "training 50% step 7, 12,346 tokens/s, loss 3.21; held-out 1.500 bits a byte (counting: neighbours 2.000)",
    ]


def test_a_warning_that_is_meant_for_users_is_a_line_like_any_other(capsys: pytest.CaptureFixture[str]) -> None:
    warned(MaskwrightWarning(f"read in grey; {option('image.channels', 3)}"), MaskwrightWarning, "value.py", 7)
    assert capsys.readouterr().err == "read in grey; --set image.channels=3\n"
