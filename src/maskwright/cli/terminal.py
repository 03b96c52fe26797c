"""What a person sees while something runs: a bar on a terminal, a line every ten seconds in a log.

In: a run's `Progress`. Out: words on stderr, options spelled as the shell has them. Computes nothing.
"""

from __future__ import annotations

import sys
import time
import warnings
from types import TracebackType
from typing import TYPE_CHECKING, Any

from maskwright.errors import MaskwrightWarning, spelled

if TYPE_CHECKING:
    from maskwright.system.progress import Progress

LINE_EVERY = 10.0
SHORT = {"settings": "--set", "n": "-n"}
"""Options whose name in a shell doesn't follow from their name in Python, by the latter."""


def in_shell(name: str, value: str) -> str:
    """An option as the shell spells it: `--on-bad skip`, `--resume`, `--set train.lr=3e-4`."""
    if "." in name:
        return f"--set {name}={value}" if value else f"--set {name}"
    flag = SHORT.get(name, "--" + name.replace("_", "-"))
    return flag if value in ("", "True") else f"{flag} {value}"


def say(words: str) -> None:
    """A plain line on stderr: never wrapped, never marked up."""
    print(spelled(words, in_shell), file=sys.stderr, flush=True)


_AS_EVER = warnings.showwarning


def warned(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: Any = None, line: str | None = None
) -> None:
    """`warnings.showwarning` of the command: what is meant for users is a line like any other."""
    if issubclass(category, MaskwrightWarning):
        say(str(message.args[0]) if isinstance(message, Warning) else message)
    else:
        _AS_EVER(message, category, filename, lineno, file, line)


class ProgressBar:
    """`with ProgressBar() as watch: train(..., watch=watch)`."""

    def __init__(self) -> None:
        self.begun = self.spoke = time.monotonic()
        self.phase = ""
        self.bar: Any = None
        self.task: Any = None
        self.look = ""

    def __enter__(self) -> ProgressBar:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            columns = (TextColumn("{task.description:<12}", markup=False), BarColumn(bar_width=24), TimeElapsedColumn(),
                       TextColumn("{task.fields[words]}", markup=False))  # fmt: skip
            self.bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self.bar.start()
            self.task = self.bar.add_task("starting", total=None, words="")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.bar:
            self.bar.stop()

    def __call__(self, news: Progress) -> None:
        if news.notice:
            self._line(news.notice)
        if news.line and "held_out" in news.line:
            self.look = _look(news.line["held_out"])
        words = self._words(news)
        changed, self.phase = news.phase != self.phase, news.phase
        if self.bar:
            self.bar.update(self.task, description=news.phase, total=None if news.share is None else 1.0,
                            completed=news.share or 0.0, words=words)  # fmt: skip
        elif changed or time.monotonic() - self.spoke > LINE_EVERY:
            self.spoke = time.monotonic()
            share = "" if news.share is None else f" {news.share:.0%}"
            say(f"[{time.monotonic() - self.begun:5.0f} s] {news.phase}{share} {words}".rstrip())

    def _line(self, words: str) -> None:
        if self.bar:
            self.bar.console.print(spelled(words, in_shell), markup=False, highlight=False, soft_wrap=True)
        else:
            say(words)

    def _words(self, news: Progress) -> str:
        if news.line:
            parts = [
                f"step {news.line['step']}",
                f"{news.line['tokens_per_s']:,.0f} tokens/s",
                f"loss {news.line['loss']:.2f}",
            ]
            return ", ".join(parts) + (f"; {self.look}" if self.look else "")
        return f"{news.size / 1e6:.1f} MB" if news.size else ""


def _look(seen: dict[str, float]) -> str:
    from maskwright.cli import format
    from maskwright.model.about import HeldOutFigures

    return format.held_out(HeldOutFigures(**seen))
