"""What every modality must hold. A new one joins with a line in SAMPLES."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from maskwright import modalities
from maskwright.errors import QueryError
from maskwright.modalities.base import Modality
from maskwright.modalities.image.config import ImageConfig
from maskwright.model import folder
from maskwright.model.embed import cells, embed
from maskwright.model.predictor import Predictor, Question
from maskwright.model.windows import around
from maskwright.nets.encoder import NetConfig
from maskwright.nets.masked import MaskedNet
from maskwright.records.pictures import Image
from maskwright.records.read import Record, records_of
from maskwright.records.shards import Shards, Writer
from maskwright.tokens import Tokens, collate, uncollate
from maskwright.tokens.masking import MaskConfig, at_random, draw, step_keys
from maskwright.training.batches import batch_of, cut

pytestmark = pytest.mark.filterwarnings("ignore:pictures are read as squares")


@dataclass(frozen=True)
class Sample:
    values: list[Any]
    query: Any
    """with blanks at two tokens"""
    kept: Callable[[Any], bool]
    """whether a filled query still has what no blank touches"""
    same: Callable[[Modality, Record, Tokens], bool]
    """whether a record can be read off its tokens"""
    least: Any
    """the smallest value there is"""
    fewest: int = 1
    """tokens that it has at the most"""


def of_texts(texts: list[str]) -> Sample:
    query = "Why was my {mask} declined at the {mask}?"
    return Sample(
        texts[:400], query, lambda text: all(part.strip() in text for part in query.split("{mask}")),
        lambda modality, record, tokens: "".join(modality.label(tokens.values)) == record.value, "",
    )  # fmt: skip


def of_pictures(texts: list[str]) -> Sample:
    """Coloured waves of many sizes, some of them transparent at a corner."""
    rng, values = np.random.default_rng(0), []
    for number in range(120):
        rows, columns = rng.integers(20, 70, 2)
        y, x = np.mgrid[:rows, :columns]
        waves = np.stack([np.sin(x / rng.uniform(3, 12) + y / rng.uniform(3, 12) + c) for c in range(3)], axis=2)
        known = None if number % 5 else (y > 5) | (x > 7)
        values.append(Image((127 + 90 * waves + rng.normal(0, 3, waves.shape)).clip(0, 255).astype(np.uint8), known))
    hole = np.ones((40, 50), dtype=bool)
    hole[10:14, 12:20] = False
    whole = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)

    def same(modality: Modality, record: Record, tokens: Tokens) -> bool:
        known = np.ones(record.value.pixels.shape[:2], dtype=bool) if record.value.known is None else record.value.known
        (empty,) = modality.blanks(Record(Image(np.zeros_like(record.value.pixels), np.zeros_like(known)), "empty"))
        return np.array_equal(modality.decode(tokens, empty).pixels[known], record.value.pixels[known])

    return Sample(
        values, Image(whole, hole), lambda filled: np.array_equal(filled.pixels[hole], whole[hole]), same,
        Image(np.zeros((1, 1, 3), dtype=np.uint8)),
    )  # fmt: skip


def of_squares(texts: list[str]) -> Sample:
    """The same pictures for a ViT-MAE, which brings each to a square."""
    sample, whole = of_pictures(texts), np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    hole = np.ones((32, 32), dtype=bool)
    hole[8:16, 8:24] = False
    return replace(
        sample, query=Image(whole, hole), kept=lambda filled: np.array_equal(filled.pixels[hole], whole[hole]),
        same=lambda modality, record, tokens: len(tokens) == 16, fewest=16,
    )  # fmt: skip


SAMPLES: dict[str, tuple[str, Any, Callable[[list[str]], Sample]]] = {
    "text": ("text", None, of_texts),
    "image": ("image", None, of_pictures),
    "vit_mae": ("image", ImageConfig(family="vit_mae", side=32), of_squares),
    "norm_pix": ("image", ImageConfig(family="vit_mae", side=32, norm_pix=True), of_squares),
}
"""by name: the modality, its configuration where it isn't the default, and records for it"""


@dataclass(frozen=True)
class Made:
    modality: Modality
    records: list[Record]
    sample: Sample
    shards: Shards
    net: MaskedNet


@pytest.fixture(scope="module", params=SAMPLES)
def made(request: pytest.FixtureRequest, texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Made:
    name, config, of = SAMPLES[request.param]
    sample, modality = of(texts), modalities.modality(name)
    if config:
        modality.configure(config)
    records = records_of(sample.values, form=modality.form)
    modality.fit(records, sum(map(modality.size, records)))
    writer = Writer(tmp_path_factory.mktemp("shards"), modality.columns)
    for record, cut_ in zip(records, modality.tokenise(records), strict=True):
        writer.add(cut_.columns, cut_.shape, key=record.key, fold=record.key, group=record.key, size=modality.size(record))
    writer.close()
    torch.manual_seed(0)
    shape = NetConfig(width=32, layers=3, heads=2, ff=48, length=64)
    net = folder.build(modality, modality.shaped(shape, {})).eval()
    return Made(modality, records, sample, Shards(writer.folder), net)


def test_every_modality_is_held_to_this() -> None:
    assert {name for name, _, _ in SAMPLES.values()} == set(modalities.names())


def test_bulk_and_single_cutting_agree(made: Made) -> None:
    modality, records, shards = made.modality, made.records, made.shards
    pieces = cut(np.arange(20), shards.shapes[:20], 1 << 30)
    for record, tokens in zip(records, uncollate(batch_of(modality, shards, pieces, frame=False)), strict=False):
        single = modality.encode([record])[0]
        for name in tokens.values:
            assert np.array_equal(tokens.values[name], single.values[name])
        assert np.array_equal(np.unique(tokens.unit, return_inverse=True)[1], np.unique(single.unit, return_inverse=True)[1])
        assert np.array_equal(tokens.positions, single.positions)


def test_a_record_comes_back_from_its_tokens(made: Made) -> None:
    modality, records = made.modality, made.records
    for record in records[:50]:
        tokens = modality.encode([record])[0]
        assert made.sample.same(modality, record, tokens)
        assert len(modality.label(tokens.values)) == len(tokens)
        assert len(tokens.where) == len(tokens)
        assert (np.diff(tokens.unit) >= 0).all()


def test_a_filled_query_keeps_what_no_blank_touches(made: Made) -> None:
    modality, query = made.modality, made.sample.query
    (asked,) = modality.blanks(records_of(query, form=modality.form)[0])
    at = np.flatnonzero(~asked.tokens.present)
    assert len(at) == 2
    filled = asked.tokens.with_values(at, {n: np.repeat(v[:1], len(at), axis=0) for n, v in asked.tokens.values.items()})
    assert made.sample.kept(modality.decode(filled, asked))


def test_views_are_as_many_tokens_and_follow_from_their_keys(made: Made) -> None:
    modality, shards = made.modality, made.shards
    pieces = cut(np.arange(20), shards.shapes[:20], 60)
    plain = batch_of(modality, shards, pieces)
    one, again, other = (batch_of(modality, shards, pieces, vary=lambda keys, k=k: step_keys(keys, 0, k)) for k in (1, 1, 2))
    for batch in (one, again, other):
        assert np.array_equal(batch.positions, plain.positions)
        assert np.array_equal(batch.cu_seqlens, plain.cu_seqlens)
    for name, values in one.values.items():
        assert np.array_equal(values, again.values[name])
    few = batch_of(modality, shards, pieces[slice(3, 5)], vary=lambda keys: step_keys(keys, 0, 1))
    alone = slice(one.cu_seqlens[3], one.cu_seqlens[5])
    assert all(np.array_equal(few.values[name], values[alone]) for name, values in one.values.items())


def test_frames_are_never_masked(made: Made) -> None:
    modality, shards = made.modality, made.shards
    pieces = cut(np.arange(30), shards.shapes[:30], 60)
    batch = batch_of(modality, shards, pieces)
    assert (batch.lengths == pieces.length + modality.frame_size).all()
    for kind in ("random", "unit", "box"):
        mask = draw(batch, MaskConfig(kind=kind), seed=0, step=0, decay=1.0)
        assert batch.maskable[mask.target].all()
    assert (~batch.maskable).sum() == len(pieces.record) * modality.frame_size


@pytest.mark.parametrize("kind", ["random", "unit", "box"])
def test_a_framed_record_is_masked_alike_in_any_company(made: Made, kind: str) -> None:
    modality, shards = made.modality, made.shards
    hidden = []
    for numbers in (np.array([7]), np.array([3, 7, 11])):
        pieces = cut(numbers, np.minimum(shards.shapes[numbers], 60), 60)
        batch = batch_of(modality, shards, pieces)
        mask = draw(batch, MaskConfig(kind=kind), seed=0, step=0, decay=1.0)
        hidden.append(mask.hidden[batch.record == int(np.flatnonzero(numbers == 7)[0])])
    assert np.array_equal(*hidden)


def test_answers_do_not_depend_on_company(made: Made) -> None:
    modality, records, net = made.modality, made.records, made.net
    reader = Predictor(net, modality)
    questions = []
    for record in records[:40]:
        whole = modality.encode([record])[0]
        tokens = whole.take(around(whole.shape, np.array([len(whole) // 2]), reader.most))
        hidden = ~tokens.present
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
        assert reader.ask(questions, answer)[0] == pytest.approx(together[number], abs=1e-5, rel=1e-5)
        questions = kept


def test_a_vector_is_made_of_its_records_known_states(made: Made) -> None:
    """By itself or in company, and whatever its windows; what is absent says nothing."""
    modality, net = made.modality, made.net
    reader, pooling = Predictor(net, modality), modality.pooling
    tokens = modality.encode(made.records[:40])
    vectors = embed(reader, tokens)
    assert vectors.shape == (40, pooling.width(modality.axes, net.config.width))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    for number in range(0, 40, 5):
        own = tokens[number]
        np.testing.assert_allclose(embed(reader, [own])[0], vectors[number], atol=1e-5)
        if len(own) > reader.most or not own.present.all():
            continue
        (states,) = reader.states([own])
        before, place = (modality.frame_size + 1) // 2, cells(own, pooling.cells)
        if pooling.cells == 1:
            place = np.pad(place, (before, modality.frame_size - before), mode="edge")
        else:  # a frame is in no cell
            states = states[before : before + len(own)]
        inside = [states[place == c] for c in range(pooling.cells**modality.axes)]
        parts = [[c.mean(0) for c in inside], [c.std(0) for c in inside] if pooling.deviation else []]
        whole = np.concatenate([part for kind in parts for part in kind])
        np.testing.assert_allclose(whole / np.linalg.norm(whole), vectors[number], atol=1e-4)


def test_regions_hold_what_they_promise(made: Made) -> None:
    modality, records, net = made.modality, made.records, made.net
    batch = modality.frame(collate([modality.encode(records[:1])[0]], [1]))
    mask = at_random(batch, 0.3, 0)
    with torch.no_grad():
        found = net(batch, mask.hidden, mask.target)
        if not modality.exact:
            with pytest.raises(QueryError, match="too many values"):
                found.region(1.0)
            return
        for level in (0.5, 3.0, 100.0):
            for row, region in enumerate(found.region(level)):
                size = len(next(iter(region.values())))
                one = found.take([row] * size)
                assert size == 0 or one.nll(region).max() <= level + 1e-4
        (whole,) = found.take([0]).region(math.inf)
        every = found.take([0] * len(next(iter(whole.values())))).nll(whole)
        assert float((-every.double()).exp().sum()) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("place", ["cpu", "cuda"])
def test_half_precision_and_another_device_say_nearly_the_same(made: Made, place: str) -> None:
    if place == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU here")
    modality = made.modality
    batch = modality.frame(collate([modality.encode(made.records[:1])[0]], [1]))
    mask = at_random(batch, 0.3, 0)
    truth = {name: array[mask.target] for name, array in batch.values.items()}
    net = copy.deepcopy(made.net).to(place)
    with torch.no_grad():
        want = made.net(batch, mask.hidden, mask.target).nll(truth)
        for dtype, close in ((torch.float32, 1e-3), (torch.bfloat16, 0.03)):
            net.dtype = dtype
            found = net(batch, mask.hidden, mask.target).nll(truth)
            assert found.dtype == torch.float32
            torch.testing.assert_close(found.cpu(), want, rtol=close, atol=close)


def test_counting_floors_are_finite_and_ordered(made: Made) -> None:
    modality, shards = made.modality, made.shards
    train = np.arange(len(shards))
    pieces = cut(train, shards.shapes, 60)
    batch = batch_of(modality, shards, pieces)
    mask = at_random(batch, 0.15, 0)
    floors = {name: floor(batch, mask) for name, floor in modality.floors(shards, train).items()}
    assert all(np.isfinite(nats).all() and (nats >= 0).all() for nats in floors.values())
    assert floors["neighbours"].mean() < floors["frequency"].mean()


def test_it_saves_and_loads(made: Made, tmp_path: Path) -> None:
    modality, records = made.modality, made.records
    modality.save(tmp_path, 64)
    again = modalities.modality(modality.name)
    again.load(tmp_path)
    for record in records[:20]:
        a, b = modality.encode([record])[0], again.encode([record])[0]
        assert all(np.array_equal(a.values[n], b.values[n]) for n in a.values)


def test_the_least_record_and_none(made: Made) -> None:
    modality, net = made.modality, made.net
    reader = Predictor(net, modality)
    least = modality.encode(records_of([made.sample.least], form=modality.form))[0]
    assert len(least) <= made.sample.fewest
    assert reader.states([least])[0].shape == (len(least) + modality.frame_size, 32)
    assert reader.states([]) == []
    assert modality.encode([]) == []


def test_draws_are_values_that_can_be_scored(made: Made) -> None:
    modality = made.modality
    batch = modality.frame(collate([modality.encode(made.records[:1])[0]], [1]))
    mask = at_random(batch, 0.3, 0)
    with torch.no_grad():
        found = made.net(batch, mask.hidden, mask.target)
        truth = {name: array[mask.target] for name, array in batch.values.items()}
        for values in (found.mode(), found.sample(np.random.default_rng(0))):
            nats = found.nll(truth | values)
            assert (nats >= 0).all()
            assert nats.isfinite().all()
        certain = found.certainty()
        assert ((certain >= 0) & (certain <= 1)).all()
