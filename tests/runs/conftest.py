"""A small corpus, read as a run reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskwright.runs.corpus import Corpus, read_corpus
from maskwright.runs.recipe import Recipe
from maskwright.runs.request import TrainRequest, resolve
from maskwright.system.progress import unwatched

LITTLE = ("net.width=32", "net.layers=2", "net.heads=2", "net.ff=48", "net.length=32", "train.batch_tokens=512",
          "tokenizer.size=512", "train.held_out=0.2")  # fmt: skip


@pytest.fixture(scope="session")
def few(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of three hundred texts."""
    path = tmp_path_factory.mktemp("few") / "few.txt"
    path.write_text("\n".join(" ".join(text.split()) for text in texts[:300]), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def recipe(few: Path) -> Recipe:
    return resolve(TrainRequest(data=few, steps=4, settings=LITTLE)).recipe


@pytest.fixture(scope="session")
def read_in(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return read_corpus(recipe, (), tmp_path_factory.mktemp("read") / "data", unwatched, begun=False)
