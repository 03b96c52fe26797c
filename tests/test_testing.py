"""The shipped checks let a modality pass that keeps every law, and name the law that another breaks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from maskwright import testing
from maskwright.modalities.base import Descriptor, Modality, Query, TokenColumns
from maskwright.nets.encoder import NetConfig
from maskwright.records.record import Record
from maskwright.testing import CHECKS, Example, check_modality, fitted
from maskwright.tokens import Array, Batch, Tokens
from tests.contract import dna

EXAMPLE = Example(
    dna.sequences(40), "ACG?TTG?A", lambda filled: filled[:3] + filled[4:7] + filled[8:] == "ACGTTGA",
    same=lambda modality, record, tokens: "".join(modality.label(tokens.values)) == record.value,
)  # fmt: skip


class Shy(dna.DnaModality):
    def label(self, values: dict[str, Array]) -> list[str]:
        return super().label(values)[1:]


class Shifted(dna.DnaModality):
    def unpack(self, columns: dict[str, Array], sizes: Array, keys: Array) -> Batch:
        batch = super().unpack(columns, sizes, keys)
        return replace(batch, positions=batch.positions * 2)


class Moody(dna.DnaModality):
    """Other views follow from the views before them."""

    def augmented(self, columns: dict[str, Array], sizes: Array, keys: Array) -> dict[str, Array]:
        return {"id": self.noise.integers(0, 4, len(columns["id"])).astype(np.uint8)}

    noise = np.random.default_rng(0)


class Boastful(dna.DnaModality):
    frame_size = 2


class Forgetful(dna.DnaModality):
    turned = 0

    def load(self, folder: Path) -> None:
        self.turned = 1

    def tokenise(self, records: Sequence[Record]) -> list[TokenColumns]:
        cut = super().tokenise(records)
        return [TokenColumns({"id": (made.columns["id"] + self.turned) % 4}, made.shape) for made in cut]


class Meddling(dna.DnaModality):
    def decode(self, tokens: Tokens, query: Query) -> str:
        return super().decode(tokens, query)[::-1]


class Untaught(dna.DnaModality):
    """Its head learns, its input does not."""

    def head(self, config: NetConfig, inputs: nn.Module) -> nn.Module:
        made = super().head(config, inputs)
        for parameter in inputs.parameters():
            parameter.requires_grad = False
        return made


BROKEN: dict[type[dna.DnaModality], Any] = {
    Shy: testing.check_a_record_comes_back_from_its_tokens,
    Shifted: testing.check_positions_fill_a_box,
    Moody: testing.check_views_follow_from_keys,
    Boastful: testing.check_frames_are_never_masked,
    Forgetful: testing.check_it_saves_and_loads,
    Meddling: testing.check_a_filled_query_keeps_what_no_blank_touches,
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Nets are tiny: more threads would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def described(build: type[Modality]) -> Descriptor:
    return replace(dna.DESCRIPTOR, name=build.__name__.lower(), build=build)


def test_a_modality_that_keeps_every_law_passes_and_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    check_modality(dna.DESCRIPTOR, EXAMPLE)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("build", BROKEN, ids=lambda build: build.__name__)
def test_a_modality_that_breaks_one_law_is_told_which(build: type[dna.DnaModality]) -> None:
    law = BROKEN[build]
    with pytest.raises(AssertionError) as caught:
        check_modality(described(build), EXAMPLE)
    name, words = build.__name__.lower(), (law.__doc__ or "").splitlines()[0]
    assert str(caught.value).startswith(f"{name}: {law.__name__}: {words}")


def test_a_law_can_be_tried_by_itself_on_a_net_that_cant_learn(tmp_path: Path) -> None:
    for build, learns in ((dna.DnaModality, True), (Untaught, False)):
        made = fitted(described(build), EXAMPLE, tmp_path / build.__name__)
        with nullcontext() if learns else pytest.raises(AssertionError):
            testing.check_a_loss_can_be_learned_from(made)


def test_an_example_that_asks_for_more_than_is_kept_is_told_so() -> None:
    with pytest.raises(AssertionError, match="dna: check_a_filled_query_keeps_what_no_blank_touches: Blanks are absent"):
        check_modality(dna.DESCRIPTOR, replace(EXAMPLE, kept=lambda filled: False))
    with pytest.raises(AssertionError, match=r"dna: check_a_record_comes_back_from_its_tokens: .* input\[0\]"):
        check_modality(dna.DESCRIPTOR, replace(EXAMPLE, same=lambda modality, record, tokens: False))
    with pytest.raises(AssertionError, match=r"dna: check_a_filled_query_keeps_what_no_blank_touches: .* no \? in it"):
        check_modality(dna.DESCRIPTOR, replace(EXAMPLE, query="ACGT"))


def test_each_law_is_said_in_words_and_tried_once() -> None:
    named = [name for name in vars(testing) if name.startswith("check_") and name != "check_modality"]
    assert [check.__name__ for check in CHECKS] == named
    assert all((check.__doc__ or "").strip().endswith(".") for check in CHECKS)
