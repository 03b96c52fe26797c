"""What a person sees while something runs: a bar on a terminal, a line every ten seconds in a log.

In: a run's `News`. Out: words on stderr. Computes nothing.
"""

from __future__ import annotations

import sys
import time
import warnings
from types import TracebackType
from typing import TYPE_CHECKING, Any

from maskwright.errors import MaskwrightWarning

if TYPE_CHECKING:
    from maskwright.runs.train import News

LINE_EVERY = 10.0


def say(words: str) -> None:
    """A plain line on stderr: never wrapped, never marked up."""
    print(words, file=sys.stderr, flush=True)


_AS_EVER = warnings.showwarning


def warned(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: Any = None, line: str | None = None
) -> None:
    """`warnings.showwarning` of the command: what is meant for users is a line like any other."""
    if issubclass(category, MaskwrightWarning):
        say(str(message))
    else:
        _AS_EVER(message, category, filename, lineno, file, line)


def held_out_words(seen: dict[str, float]) -> str:
    return (
        f"held-out {seen['bits_per_byte']:.3f} bits a byte"
        f" (counting: neighbours {seen['floor_neighbours']:.3f}, frequency {seen['floor_frequency']:.3f})"
    )


class ProgressBar:
    """`with Progress() as watch: train(..., watch=watch)`."""

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

    def __call__(self, news: News) -> None:
        if news.words:
            self._line(news.words)
        if news.line and "held_out" in news.line:
            self.look = held_out_words(news.line["held_out"])
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
            self.bar.console.print(words, markup=False, highlight=False, soft_wrap=True)
        else:
            say(words)

    def _words(self, news: News) -> str:
        if news.line:
            parts = [
                f"step {news.line['step']}",
                f"{news.line['tokens_per_s']:,.0f} tokens/s",
                f"loss {news.line['loss']:.2f}",
            ]
            return ", ".join(parts) + (f"; {self.look}" if self.look else "")
        return f"{news.size / 1e6:.1f} MB" if news.size else ""
