"""What each step trains on: pure functions of (seed, step), so that any step can be prepared anywhere, ahead or again.

In: token shards, the training records, a modality. Out: batches and their masks. An epoch visits every record once, in
a shuffled order; long records are cut into pieces that the net can read at once, at another offset each epoch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from maskwright.modalities.base import Modality
from maskwright.records.shards import Shards
from maskwright.tokens import Array, Batch, Mask, grid, masking
from maskwright.tokens.masking import MaskConfig
from maskwright.training.distributed import ProcessGroup
from maskwright.training.schedule import TrainConfig, decay


@dataclass(frozen=True)
class Pieces:
    """Boxes in records, along P axes: stretches of texts."""

    record: Array
    """(n,) number of the record that each piece is cut from."""
    start: Array
    """(n, P) corner of each piece, in tokens from the record's beginning."""
    size: Array
    """(n, P) tokens of each piece along each axis."""

    @property
    def length(self) -> Array:
        """(n,) tokens."""
        return np.asarray(self.size.prod(axis=1))

    def __getitem__(self, index: Array | slice) -> Pieces:
        return Pieces(self.record[index], self.start[index], self.size[index])


def cut(records: Array, shapes: Array, most: int, shift: Array | None = None) -> Pieces:
    """Records of the extents `shapes` (n, P) to pieces of at most `most` tokens, that cover each token once. Along an axis
    that is cut the first piece has a share of the others' side, `shift` (n, P) in [0, 1); 0 or None: all of it."""
    side = grid.sides(shapes, most)
    offset = np.zeros_like(shapes) if shift is None else np.where(shapes > side, shift * side, 0).astype(np.int64)
    count = np.maximum((offset > 0) + -(-(shapes - offset) // side), 1)
    record = np.repeat(np.arange(len(records)), count.prod(axis=1))
    number, side, offset = grid.places(count), side[record], offset[record]
    start = np.where(offset > 0, np.maximum(offset + (number - 1) * side, 0), number * side)
    end = np.minimum(np.where(offset > 0, offset + number * side, (number + 1) * side), shapes[record])
    return Pieces(records[record], start, end - start)


def batch_of(
    modality: Modality, shards: Shards, pieces: Pieces, frame: bool = True, vary: Callable[[Array], Array] | None = None
) -> Batch:
    """The tokens of `pieces`, end to end, each with its frame unless told otherwise; `vary`: as other views of the same, by
    what it makes of the pieces' keys."""
    columns = shards.pieces(pieces.record, pieces.start, pieces.size)
    keys = shards.keys[pieces.record]
    with np.errstate(over="ignore"):
        for start in pieces.start.T:
            keys = keys * np.uint64(0xD6E8FEB86659FD93) + start.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    if vary:
        columns = modality.augmented(columns, pieces.size, vary(keys))
    batch = modality.unpack(columns, pieces.size, keys)
    return modality.frame(batch) if frame else batch


class Order:
    """Step -> this process's part of the batch, and its mask."""

    def __init__(
        self, modality: Modality, shards: Shards, records: Array, length: int, config: TrainConfig, mask: MaskConfig,
        processes: ProcessGroup,
    ) -> None:  # fmt: skip
        self.modality, self.shards, self.records = modality, shards, records
        self.content = length - modality.frame_size
        self.batch_tokens, self.seed, self.mask = config.batch_tokens, config.seed, mask
        self.processes = processes
        self._first: list[int] = [0]
        """the first step of every epoch that is known"""
        self._epoch: tuple[int, Pieces, Array] | None = None
        self._one = threading.RLock()
        """steps are prepared on a thread of their own"""

    def pieces(self, step: int) -> Pieces:
        with self._one:
            return self._pieces(step)

    def _pieces(self, step: int) -> Pieces:
        epoch = 0
        while True:
            if epoch + 1 >= len(self._first):
                self._first.append(self._first[epoch] + len(self._load(epoch)[1]) - 1)
            if step < self._first[epoch + 1]:
                break
            epoch += 1
        pieces, bounds = self._load(epoch)
        at = step - self._first[epoch]
        return pieces[slice(int(bounds[at]), int(bounds[at + 1]))]

    def epochs(self, step: int) -> float:
        """How often the data has been seen when `step` begins."""
        with self._one:
            self._pieces(step)
            epoch = int(np.searchsorted(self._first, step, side="right")) - 1
            return epoch + (step - self._first[epoch]) / (self._first[epoch + 1] - self._first[epoch])

    def __call__(self, step: int, config: TrainConfig) -> tuple[Batch, Mask, Pieces]:
        every = self.pieces(step)
        mine = self.processes.part(every.length)
        empty = mine.start == mine.stop  # a batch of fewer pieces than processes: one is read, and counts for nothing
        pieces = every[slice(0, 1) if empty else mine]
        batch = batch_of(self.modality, self.shards, pieces, vary=lambda keys: masking.step_keys(keys, self.seed, step))
        mask = masking.draw(batch, self.mask, seed=self.seed, step=step, decay=decay(config, step))
        return batch, replace(mask, weight=mask.weight * 0) if empty else mask, pieces

    def _load(self, epoch: int) -> tuple[Pieces, Array]:
        if self._epoch is None or self._epoch[0] != epoch:
            rng = np.random.default_rng((self.seed, epoch))
            shapes = self.shards.shapes[self.records]
            pieces = cut(self.records, shapes, self.content, rng.random(shapes.shape))
            pieces = pieces[rng.permutation(len(pieces.record))]
            size = np.cumsum(pieces.length + self.modality.frame_size)
            batches = max(1, round(size[-1] / self.batch_tokens))
            bounds = np.searchsorted(size, size[-1] * np.arange(batches + 1) / batches, side="left")
            bounds[0], bounds[-1] = 0, len(size)
            self._epoch = epoch, pieces, np.unique(bounds)
        return self._epoch[1], self._epoch[2]


class Ahead:
    """Prepares the next step on the side while one is computed."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.worker = ThreadPoolExecutor(1, thread_name_prefix="maskwright-data")
        self.next: tuple[int, float, Future[tuple[Batch, Mask, Pieces]]] | None = None

    def __call__(self, step: int, config: TrainConfig) -> tuple[Batch, Mask, Pieces]:
        ready = self.next
        if ready and ready[0] == step and ready[1] == decay(config, step):
            out = ready[2].result()
        else:  # the first step, or the schedule changed under what was prepared
            if ready:
                ready[2].result()
            out = self.order(step, config)
        if step + 1 < config.steps:
            self.next = (step + 1, decay(config, step + 1), self.worker.submit(self.order, step + 1, config))
        return out

    def close(self) -> None:
        self.worker.shutdown(wait=True, cancel_futures=True)


def by_tokens(lengths: Array, most: int) -> Iterator[slice]:
    """Consecutive slices of at most `most` tokens each, one item at least."""
    first = total = 0
    for at, length in enumerate(lengths):
        if at > first and total + length > most:
            yield slice(first, at)
            first, total = at, 0
        total += int(length)
    if first < len(lengths):
        yield slice(first, len(lengths))
