"""Whether a modality keeps the contract: a check a law, for modalities of any package, as scikit-learn ships
`check_estimator`.

    from maskwright.testing import Example, check_modality
    check_modality(DESCRIPTOR, Example(values=["ACGT…", …], query="AC?T", kept=lambda filled: filled.startswith("AC")))

In: a descriptor, and an `Example` of its data. Out: nothing, or an AssertionError that names the law which is broken. Trains
nothing: nets are fresh and tiny, and the whole takes a few seconds.

Legend: N tokens of a record, M targets, P position axes.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from maskwright.errors import MaskwrightError
from maskwright.modalities.base import Asked, Descriptor, Modality, ModalityConfig
from maskwright.model import folder
from maskwright.model.embed import cells, embed
from maskwright.model.predictor import Predictor, Question, truth
from maskwright.model.windows import around
from maskwright.nets.encoder import NetConfig
from maskwright.nets.masked import MaskedNet
from maskwright.records.read import records_of
from maskwright.records.record import Record
from maskwright.records.shards import Shards, Writer
from maskwright.tokens import Array, Batch, Distribution, Mask, Tokens, collate, uncollate
from maskwright.tokens.masking import MaskConfig, at_random, draw, step_keys
from maskwright.training.batches import batch_of, cut

SHAPE = NetConfig(width=32, layers=3, heads=2, ff=48, length=64)
"""The shape of the nets that are tried, before a modality adapts it."""
CONTENT = 60
"""The most tokens of a piece that a record is cut into, without its frame."""
KINDS = ("random", "unit", "box")


@dataclass(frozen=True)
class Example:
    """Data that a modality is tried on."""

    values: Sequence[Any]
    """Values as Python gives them: at least 40, of different sizes, some longer than `CONTENT` tokens if such are
    possible."""
    query: Any
    """A value with blanks."""
    kept: Callable[[Any], bool]
    """Tells whether a filled query still has what no blank touches."""
    config: ModalityConfig | None = None
    """The modality's section of a recipe; None: its defaults."""
    same: Callable[[Modality, Record, Tokens], bool] | None = None
    """Tells whether a record can be read off its tokens; None: that is not checked."""


@dataclass(frozen=True)
class Fitted:
    """A modality that has learned from its example, and a fresh net."""

    modality: Modality
    records: list[Record]
    example: Example
    shards: Shards
    net: MaskedNet

    @property
    def predictor(self) -> Predictor:
        return Predictor(self.net, self.modality)


def fitted(descriptor: Descriptor, example: Example, work: Path) -> Fitted:
    """The modality fitted on the example, its tokens written to the folder `work`, and a tiny net for it."""
    modality = descriptor.create()
    modality.configure(example.config or descriptor.config())
    records = list(records_of(list(example.values), modality.value_type))
    for record in records:
        modality.observe(record)
    modality.fit(records, sum(map(modality.size, records)))
    writer = Writer(work, modality.columns)
    for record, made in zip(records, modality.tokenise(records), strict=True):
        writer.add(made.columns, made.shape, key=record.key, fold=record.key, group=record.key, size=modality.size(record))
    writer.close()
    torch.manual_seed(0)
    net = folder.build(modality, modality.shaped(SHAPE, {})).eval()
    return Fitted(modality, records, example, Shards(work), net)


def check_modality(descriptor: Descriptor, example: Example) -> None:
    """Tries every law of `CHECKS`. Raises AssertionError for the first that is broken, and names it."""
    with tempfile.TemporaryDirectory(prefix="maskwright-") as work:
        made = fitted(descriptor, example, Path(work))
        for check in CHECKS:
            try:
                check(made)
            except (
                AssertionError,
                MaskwrightError,
                AttributeError,
                LookupError,
                RuntimeError,
                TypeError,
                ValueError,
            ) as error:
                law = (check.__doc__ or "").strip().splitlines()[0]
                raise AssertionError(f"{descriptor.name}: {check.__name__}: {law} {error}") from error


# Cutting


def check_bulk_and_single_cutting_agree(made: Fitted) -> None:
    """What shards store of a record gives the tokens that `encode` gives."""
    modality, shards = made.modality, made.shards
    pieces = cut(np.arange(20), shards.shapes[:20], 1 << 30)
    for record, tokens in zip(made.records, uncollate(batch_of(modality, shards, pieces, frame=False)), strict=False):
        (single,) = modality.encode([record])
        for name in tokens.values:
            np.testing.assert_array_equal(tokens.values[name], single.values[name])
        ours, alone = (np.unique(t.unit, return_inverse=True)[1] for t in (tokens, single))
        np.testing.assert_array_equal(ours, alone)
        np.testing.assert_array_equal(tokens.positions, single.positions)
        np.testing.assert_array_equal(tokens.kind, single.kind)


def check_a_record_comes_back_from_its_tokens(made: Fitted) -> None:
    """Tokens say what a record held, a person can read each, and units rise."""
    modality = made.modality
    for record in made.records[:50]:
        (tokens,) = modality.encode([record])
        assert made.example.same is None or made.example.same(modality, record, tokens), record.source
        assert len(modality.label(tokens.values)) == len(tokens)
        assert len(tokens.where) == len(tokens)
        assert (np.diff(tokens.unit) >= 0).all()
        shares = modality.shares(tokens)
        assert ((shares >= 0) & (shares <= 1)).all()


def check_positions_fill_a_box(made: Fitted) -> None:
    """A record's positions fill a box, row by row, along as many axes as the modality says."""
    for record in made.records[:50]:
        (tokens,) = made.modality.encode([record])
        assert tokens.positions.shape == (len(tokens), made.modality.axes)
        assert math.prod(tokens.shape) == len(tokens)
        if len(tokens):
            at = np.ravel_multi_index((tokens.positions - tokens.positions.min(0)).T, tokens.shape)
            np.testing.assert_array_equal(at, np.arange(len(tokens)))


def check_nothing_is_no_tokens(made: Fitted) -> None:
    """Of no records there are no tokens, and no states."""
    assert made.modality.encode([]) == []
    assert made.predictor.states([]) == []


def check_views_follow_from_keys(made: Fitted) -> None:
    """Other views of a record, for training, are as many tokens, and follow from their keys alone."""
    modality, shards = made.modality, made.shards
    pieces = cut(np.arange(20), shards.shapes[:20], CONTENT)
    plain = batch_of(modality, shards, pieces)

    def view(step: int) -> Batch:
        return batch_of(modality, shards, pieces, vary=lambda keys: step_keys(keys, 0, step))

    one, again, other = view(1), view(1), view(2)
    for batch in (one, again, other):
        np.testing.assert_array_equal(batch.positions, plain.positions)
        np.testing.assert_array_equal(batch.cu_seqlens, plain.cu_seqlens)
    for name, values in one.values.items():
        np.testing.assert_array_equal(values, again.values[name])
    few = batch_of(modality, shards, pieces[slice(3, 5)], vary=lambda keys: step_keys(keys, 0, 1))
    alone = slice(one.cu_seqlens[3], one.cu_seqlens[5])
    for name, values in one.values.items():
        np.testing.assert_array_equal(few.values[name], values[alone])


def check_frames_are_never_masked(made: Fitted) -> None:
    """A frame has the size that the modality says, and no mask hides it."""
    modality, shards = made.modality, made.shards
    pieces = cut(np.arange(30), shards.shapes[:30], CONTENT)
    batch = batch_of(modality, shards, pieces)
    np.testing.assert_array_equal(batch.lengths, pieces.length + modality.frame_size)
    for kind in KINDS:
        mask = draw(batch, MaskConfig(kind=kind), seed=0, step=0, decay=1.0)
        assert batch.maskable[mask.target].all()
    assert (~batch.maskable).sum() == len(pieces.record) * modality.frame_size


def check_masks_do_not_depend_on_company(made: Fitted) -> None:
    """A framed record is masked alike whatever stands beside it in a batch."""
    modality, shards = made.modality, made.shards
    for kind in KINDS:
        hidden = []
        for numbers in (np.array([7]), np.array([3, 7, 11])):
            pieces = cut(numbers, np.minimum(shards.shapes[numbers], CONTENT), CONTENT)
            batch = batch_of(modality, shards, pieces)
            mask = draw(batch, MaskConfig(kind=kind), seed=0, step=0, decay=1.0)
            hidden.append(mask.hidden[batch.record == int(np.flatnonzero(numbers == 7)[0])])
        np.testing.assert_array_equal(*hidden)


def check_it_saves_and_loads(made: Fitted) -> None:
    """A modality that was loaded cuts as the one that was saved."""
    with tempfile.TemporaryDirectory(prefix="maskwright-") as work:
        made.modality.save(Path(work), SHAPE.length)
        again = made.modality.descriptor.create()
        again.load(Path(work))
    for record in made.records[:20]:
        (a,), (b,) = made.modality.encode([record]), again.encode([record])
        for name in a.values:
            np.testing.assert_array_equal(a.values[name], b.values[name])
    assert again.label(a.values) == made.modality.label(a.values)


def check_values_are_told_from_each_other(made: Fitted) -> None:
    """A value is one record, not many; equal values have equal ids, and others have others."""
    kind, values = made.modality.value_type, list(made.example.values)
    assert all(kind.is_one(value) for value in values)
    (again,) = records_of(values[0], kind)
    assert again.id == made.records[0].id
    assert len({record.id for record in made.records}) > 1


# Queries


def check_a_filled_query_keeps_what_no_blank_touches(made: Fitted) -> None:
    """Blanks are absent tokens, and decoding changes nothing else."""
    modality = made.modality
    (record,) = records_of(made.example.query, modality.value_type, "query")
    query = modality.blanks(record)[0]
    at = query.blanks
    assert len(at), "a query without a blank"
    filled = query.tokens.with_values(at, {n: np.repeat(v[:1], len(at), axis=0) for n, v in query.tokens.values.items()})
    assert made.example.kept(modality.decode(filled, query))


def check_what_may_stand_at_a_blank_is_a_distribution(made: Fitted) -> None:
    """`restrict` leaves probabilities: of whatever it allows, nats are at least 0."""
    modality = made.modality
    (record,) = records_of(made.example.query, modality.value_type, "query")
    query = modality.blanks(record)[0]
    own = around(query.tokens.shape, query.blanks[:1], made.predictor.most)
    at = np.searchsorted(own, query.blanks[:1])
    window = query.tokens.take(own)
    hidden = ~window.present

    def answer(distribution: Distribution, members: list[int], rows: Array) -> list[float]:
        allowed = modality.restrict(distribution, [Asked.alone(query, int(query.blanks[0]))])
        return [float(allowed.nll(allowed.mode())[0])]

    (nats,) = made.predictor.ask([Question(window, hidden, at)], answer)
    assert nats >= 0


# The net


def _masked(made: Fitted) -> tuple[Batch, Mask]:
    """The first record, framed, three of ten tokens hidden."""
    batch = made.modality.frame(collate([made.modality.encode(made.records[:1])[0]], [1]))
    return batch, at_random(batch, 0.3, 0)


def _predicted(made: Fitted) -> tuple[Batch, Mask, Distribution]:
    batch, mask = _masked(made)
    with torch.no_grad():
        return batch, mask, made.net(batch, mask.hidden, mask.target)


def check_answers_do_not_depend_on_company(made: Fitted) -> None:
    """A question is answered alike by itself and among others."""
    predictor, questions = made.predictor, []
    for record in made.records[:40]:
        (whole,) = made.modality.encode([record])
        tokens = whole.take(around(whole.shape, np.array([len(whole) // 2]), predictor.most))
        hidden = ~tokens.present
        hidden[len(tokens) // 2] = True
        questions.append(Question(tokens, hidden, np.flatnonzero(hidden)))

    def nats(asked: list[Question]) -> list[Array]:
        def answer(distribution: Distribution, members: list[int], rows: Array) -> list[Array]:
            found = distribution.nll(truth(asked, members)).numpy()
            return [found[a:b] for a, b in pairwise(rows)]

        return predictor.ask(asked, answer)

    together = nats(questions)
    assert all((found >= 0).all() for found in together)
    for number, question in enumerate(questions[:10]):
        np.testing.assert_allclose(nats([question])[0], together[number], atol=1e-5, rtol=1e-5)


def check_a_vector_is_made_of_known_states(made: Fitted) -> None:
    """By itself or in company, and whatever its windows; what is absent says nothing."""
    modality, predictor, pooling = made.modality, made.predictor, made.modality.pooling
    tokens = modality.encode(made.records[:40])
    vectors = embed(predictor, tokens)
    assert vectors.shape == (len(tokens), pooling.width(modality.axes, made.net.config.width))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    for number in range(0, len(tokens), 5):
        own = tokens[number]
        np.testing.assert_allclose(embed(predictor, [own])[0], vectors[number], atol=1e-5)
        if len(own) > predictor.most or not own.present.all():
            continue
        (states,) = predictor.states([own])
        before, place = (modality.frame_size + 1) // 2, cells(own, pooling.cells)
        if pooling.cells == 1:
            place = np.pad(place, (before, modality.frame_size - before), mode="edge")
        else:  # a frame is in no cell
            states = states[before : before + len(own)]
        inside = [states[place == c] for c in range(pooling.cells**modality.axes)]
        parts = [[c.mean(0) for c in inside], [c.std(0) for c in inside] if pooling.deviation else []]
        whole = np.concatenate([part for kind in parts for part in kind])
        np.testing.assert_allclose(whole / np.linalg.norm(whole), vectors[number], atol=1e-4)


def check_regions_hold_what_they_promise(made: Fitted) -> None:
    """Where values can be listed, a region holds those below its level, and all of them sum to one; elsewhere it is
    refused."""
    batch, mask, found = _predicted(made)
    listable = made.net.listable(batch.kind[mask.target])
    rows = np.flatnonzero(listable)
    if len(rows) < len(listable):
        try:
            found.take(np.flatnonzero(~listable)).region(1.0)
        except MaskwrightError:
            pass
        else:
            raise AssertionError("values that can't be listed were")
    if not len(rows):
        return
    few = found.take(rows)
    for level in (0.5, 3.0, 100.0):
        for row, region in enumerate(few.region(level)):
            size = len(next(iter(region.values())))
            assert size == 0 or few.take([row] * size).nll(region).max() <= level + 1e-4
    (whole,) = few.take([0]).region(math.inf)
    with torch.no_grad():
        every = few.take([0] * len(next(iter(whole.values())))).nll(whole)
    np.testing.assert_allclose(float((-every.double()).exp().sum()), 1.0, atol=1e-4)


def check_draws_are_values_that_can_be_scored(made: Fitted) -> None:
    """Modes and draws have finite nats of at least 0, and certainty lies between 0 and 1."""
    batch, mask, found = _predicted(made)
    stood = {name: array[mask.target] for name, array in batch.values.items()}
    for values in (found.mode(), found.sample(np.random.default_rng(0))):
        nats = found.nll(stood | values)
        assert (nats >= 0).all()
        assert nats.isfinite().all()
    certain = found.certainty()
    assert ((certain >= 0) & (certain <= 1)).all()


def check_a_temperature_keeps_probabilities(made: Fitted) -> None:
    """Tempered distributions are still distributions: nats stay at least 0 and finite."""
    batch, mask, found = _predicted(made)
    stood = {name: array[mask.target] for name, array in batch.values.items()}
    for temperature in (0.5, 1.0, 2.0):
        nats = found.tempered(temperature).nll(stood)
        assert (nats >= 0).all()
        assert nats.isfinite().all()


def check_a_loss_can_be_learned_from(made: Fitted) -> None:
    """The loss is finite, and moves every part of the net: input, encoder, head."""
    batch, mask = _masked(made)
    made.net.zero_grad()
    stood = {name: array[mask.target] for name, array in batch.values.items()}
    nats, auxiliary = made.net(batch, mask.hidden, mask.target).loss(stood)
    (nats + auxiliary).sum().backward()
    for part in (made.net.inputs, made.net.encoder, made.net.head):
        gradients = [p.grad for p in part.parameters() if p.grad is not None]
        assert gradients
        assert all(gradient.isfinite().all() for gradient in gradients)
    made.net.zero_grad()


def check_counting_floors_are_finite_and_ordered(made: Fitted) -> None:
    """Where there is a baseline, its floors are finite, and neighbours say more than frequency."""
    modality, shards = made.modality, made.shards
    if modality.baseline is None:
        return
    train = np.arange(len(shards))
    batch = batch_of(modality, shards, cut(train, shards.shapes, CONTENT))
    mask = at_random(batch, 0.15, 0)
    floors = {name: floor(batch, mask) for name, floor in modality.baseline.floors(shards, train).items()}
    assert all(np.isfinite(nats).all() and (nats >= 0).all() for nats in floors.values())
    if {"neighbours", "frequency"} <= floors.keys():
        assert floors["neighbours"].mean() < floors["frequency"].mean()


CHECKS: tuple[Callable[[Fitted], None], ...] = (
    check_bulk_and_single_cutting_agree,
    check_a_record_comes_back_from_its_tokens,
    check_positions_fill_a_box,
    check_nothing_is_no_tokens,
    check_views_follow_from_keys,
    check_frames_are_never_masked,
    check_masks_do_not_depend_on_company,
    check_it_saves_and_loads,
    check_values_are_told_from_each_other,
    check_a_filled_query_keeps_what_no_blank_touches,
    check_what_may_stand_at_a_blank_is_a_distribution,
    check_answers_do_not_depend_on_company,
    check_a_vector_is_made_of_known_states,
    check_regions_hold_what_they_promise,
    check_draws_are_values_that_can_be_scored,
    check_a_temperature_keeps_probabilities,
    check_a_loss_can_be_learned_from,
    check_counting_floors_are_finite_and_ordered,
)
"""Every check, one for each law of the contract, in the order in which they run."""
