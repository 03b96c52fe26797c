"""What every modality must hold. A new one joins with a line in SAMPLES."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from maskwright import folder, modalities
from maskwright.infer.reader import Question, Reader
from maskwright.masking import MaskConfig, at_random, draw
from maskwright.modalities.base import Modality
from maskwright.nets.encoder import MaskedNet, NetConfig
from maskwright.records.read import Record, records_of
from maskwright.records.shards import Shards, Writer
from maskwright.tokens import join, split
from maskwright.training.data import batch_of, cut

SAMPLES: dict[str, Callable[[list[str]], tuple[list[Any], Any]]] = {
    "text": lambda texts: (texts[:400], "Why was my {mask} declined at the {mask}?"),
}
"""(records' values, a query with blanks)"""


@pytest.fixture(scope="module", params=modalities.names())
def made(request: pytest.FixtureRequest, texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    values, query = SAMPLES[request.param](texts)
    records = records_of(values)
    modality = modalities.modality(request.param)
    modality.fit(records, sum(map(modality.size, records)))
    writer = Writer(tmp_path_factory.mktemp("shards"), modality.columns)
    for record, tokens in zip(records, modality.tokenise(records), strict=True):
        writer.add(tokens, key=record.key, fold=record.key, group=record.key, size=modality.size(record))
    writer.close()
    torch.manual_seed(0)
    net = folder.build(modality, NetConfig(width=32, layers=2, heads=2, ff=48, length=64)).eval()
    return modality, records, query, Shards(writer.folder), net


def test_bulk_and_single_cutting_agree(made: tuple[Modality, list[Record], Any, Shards, MaskedNet]) -> None:
    modality, records, _, shards, _ = made
    pieces = cut(np.arange(20), shards.shapes[:20], 1 << 30)
    for record, tokens in zip(records, split(batch_of(modality, shards, pieces, frame=False)), strict=False):
        single = modality.encode([record])[0]
        for name in tokens.values:
            assert np.array_equal(tokens.values[name], single.values[name])
        assert np.array_equal(np.unique(tokens.unit, return_inverse=True)[1], np.unique(single.unit, return_inverse=True)[1])
        assert np.array_equal(tokens.positions, single.positions)


def test_a_record_comes_back_from_its_tokens(made: tuple[Modality, list[Record], Any, Shards, MaskedNet]) -> None:
    modality, records, _, _, _ = made
    for record in records[:50]:
        tokens = modality.encode([record])[0]
        assert "".join(modality.label(tokens.values)) == record.value
        assert len(tokens.where) == len(tokens)
        assert (np.diff(tokens.unit) >= 0).all()


def test_a_filled_query_keeps_what_no_blank_touches(made: tuple[Modality, list[Record], Any, Shards, MaskedNet]) -> None:
    modality, _, query, _, _ = made
    (asked,) = modality.blanks(records_of(query)[0])
    at = np.flatnonzero(~asked.tokens.present)
    assert len(at) == 2
    filled = asked.tokens.with_values(at, {n: np.repeat(v[:1], len(at), axis=0) for n, v in asked.tokens.values.items()})
    text = modality.decode(filled, asked)
    for part in query.split("{mask}"):
        assert part.strip() in text


def test_frames_are_never_masked(made: tuple[Modality, list[Record], Any, Shards, MaskedNet]) -> None:
    modality, _, _, shards, _ = made
    pieces = cut(np.arange(30), shards.shapes[:30], 60)
    batch = batch_of(modality, shards, pieces)
    assert (batch.lengths == pieces.length + modality.frame_size).all()
    for kind in ("random", "unit", "box"):
        mask = draw(batch, MaskConfig(kind=kind), seed=0, step=0, decay=1.0)
        assert batch.maskable[mask.target].all()
    assert (~batch.maskable).sum() == len(pieces.record) * modality.frame_size


@pytest.mark.parametrize("kind", ["random", "unit", "box"])
def test_a_framed_record_is_masked_alike_in_any_company(
    made: tuple[Modality, list[Record], Any, Shards, MaskedNet], kind: str
) -> None:
    modality, _, _, shards, _ = made
    hidden = []
    for numbers in (np.array([7]), np.array([3, 7, 11])):
        pieces = cut(numbers, np.minimum(shards.shapes[numbers], 60), 60)
        batch = batch_of(modality, shards, pieces)
        mask = draw(batch, MaskConfig(kind=kind), seed=0, step=0, decay=1.0)
        hidden.append(mask.hidden[batch.record == int(np.flatnonzero(numbers == 7)[0])])
    assert np.array_equal(*hidden)


def test_answers_do_not_depend_on_company(made: tuple[Modality, list[Record], Any, Shards, MaskedNet]) -> None:
    modality, records, _, _, net = made
    reader = Reader(net, modality)
    questions = []
    for record in records[:40]:
        tokens = modality.encode([record])[0].take(slice(0, reader.most))
        hidden = np.zeros(len(tokens), dtype=bool)
        hidden[len(tokens) // 2] = True
        questions.append(Question(tokens, hidden, np.flatnonzero(hidden)))

    def answer(distribution: Any, members: list[int], rows: Any) -> list[float]:
        names = questions[0].tokens.values
        truth = {n: np.concatenate([questions[m].tokens.values[n][questions[m].at] for m in members]) for n in names}
        return list(distribution.nll(truth).tolist())

    together = reader.ask(questions, answer)
    assert min(together) >= 0
    for number, question in enumerate(questions[:10]):
        kept, questions = questions, [question]
        assert reader.ask(questions, answer)[0] == pytest.approx(together[number], abs=1e-5)
        questions = kept


def test_regions_hold_what_they_promise(made: tuple[Modality, list[Record], Any, Shards, MaskedNet]) -> None:
    modality, records, _, _, net = made
    batch = modality.frame(join([modality.encode(records[:1])[0]], [1]))
    mask = at_random(batch, 0.3, 0)
    with torch.no_grad():
        found = net(batch, mask.hidden, mask.target)
        for level in (0.5, 3.0, 100.0):
            for row, region in enumerate(found.region(level)):
                size = len(next(iter(region.values())))
                one = found.take([row] * size)
                assert size == 0 or one.nll(region).max() <= level + 1e-4


def test_counting_floors_are_finite_and_ordered(made: tuple[Modality, list[Record], Any, Shards, MaskedNet]) -> None:
    modality, _, _, shards, _ = made
    train = np.arange(len(shards))
    pieces = cut(train, shards.shapes, 60)
    batch = batch_of(modality, shards, pieces)
    mask = at_random(batch, 0.15, 0)
    floors = {name: floor(batch, mask) for name, floor in modality.floors(shards, train).items()}
    assert all(np.isfinite(nats).all() and (nats >= 0).all() for nats in floors.values())
    assert floors["neighbours"].mean() < floors["frequency"].mean()


def test_it_saves_and_loads(made: tuple[Modality, list[Record], Any, Shards, MaskedNet], tmp_path: Path) -> None:
    modality, records, _, _, _ = made
    modality.save(tmp_path, 64)
    again = modalities.modality(modality.name)
    again.load(tmp_path)
    for record in records[:20]:
        a, b = modality.encode([record])[0], again.encode([record])[0]
        assert all(np.array_equal(a.values[n], b.values[n]) for n in a.values)


def test_one_token_and_none(made: tuple[Modality, list[Record], Any, Shards, MaskedNet]) -> None:
    modality, _, _, _, net = made
    reader = Reader(net, modality)
    empty = modality.encode(records_of(""))[0]
    assert len(empty) == 0
    assert reader.states([empty])[0].shape == (modality.frame_size, 32)
