"""What a long task tells is told alike to every face."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from maskwright.errors import option, spelled
from maskwright.system.progress import Progress, Watcher, unwatched


def test_a_notice_reads_as_python_and_another_face_may_spell_its_options() -> None:
    news = Progress("reading", notice=f"2 records are left out, by {option('on_bad', 'skip')}")
    assert news.words == '2 records are left out, by on_bad="skip"'
    shell = spelled(news.notice, lambda name, value: f"--{name.replace('_', '-')} {value}")
    assert shell == "2 records are left out, by --on-bad skip"


def test_one_watcher_cant_change_what_the_next_one_sees() -> None:
    seen: list[str] = []

    def meddler(news: Progress) -> None:
        with pytest.raises(FrozenInstanceError):
            news.phase = "done"  # type: ignore[misc]

    watchers: list[Watcher] = [meddler, unwatched, lambda news: seen.append(news.phase)]
    for watcher in watchers:
        watcher(Progress("training", share=0.5))
    assert seen == ["training"]
