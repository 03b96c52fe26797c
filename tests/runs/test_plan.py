"""A plan says what a budget would bring, and half of it, and double."""

from __future__ import annotations

from pathlib import Path

import pytest

import maskwright as mw
from maskwright.errors import RecipeError
from tests.runs.conftest import LITTLE

FREE = [setting for setting in LITTLE if not setting.startswith("train.batch")]


def test_rows_are_half_the_budget_the_budget_and_double(few: Path) -> None:
    said: list[str] = []
    rows = mw.plan(few, budget="60s", settings=LITTLE, device="cpu", report=said.append)
    assert [row["seconds"] for row in rows] == [30, 60, 120]
    assert any(words.startswith("taken for text: ") for words in said)
    for row in rows:
        assert (row["width"], row["layers"], row["length"], row["batch_tokens"]) == (32, 2, 32, 512)
        assert 0 < row["low"] < row["bits_per_byte"] < row["high"]
        assert row["floor_neighbours"] > 0
    for name in ("steps", "epochs"):
        found = [row[name] for row in rows]
        assert found == sorted(found)
    for name in ("parameters", "tokens_per_s", "memory_mb", "disk_mb", "floor_neighbours"):  # the net is the same
        assert len({row[name] for row in rows}) == 1
    bits = [row["bits_per_byte"] for row in rows]
    assert bits == sorted(bits, reverse=True)


def test_what_nothing_foretells_is_not_foretold(few: Path, folder: Path) -> None:
    rows = mw.plan(few, budget="60s", init=folder, settings=["net.length=32"], device="cpu")
    assert {(row["bits_per_byte"], row["low"], row["high"]) for row in rows} == {(None, None, None)}
    assert {row["width"] for row in rows} == {48}


def test_it_leaves_nothing_behind_and_is_for_budgets_alone(few: Path) -> None:
    before = sorted(few.parent.iterdir())
    with pytest.raises(RecipeError, match=r"^plan says what a time would buy; leave train\.steps out$"):
        mw.plan(few, settings=["train.steps=5"])
    assert sorted(few.parent.iterdir()) == before
