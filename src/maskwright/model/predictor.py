"""Many questions to a net in few batches: what stands at these tokens of these records, with those hidden?

In: `Question`s (a piece of a record, what is hidden, what is asked). Out: one distribution over all asked positions in
order, or states. Batches are cut by a budget of tokens, shortest questions first, and answers go back into the order of
the questions; another order or other company changes an answer by float noise at most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
import torch

from maskwright.modalities.base import Modality
from maskwright.nets.masked import MaskedNet
from maskwright.system.worker_pool import single_core_workers
from maskwright.tokens import Array, Batch, Distribution, Tokens, collate

_T = TypeVar("_T")
BATCH_TOKENS, LEAST_TOKENS = 8192, 512
"""Tokens of a batch, at most; and tokens below which a batch is not worth another thread."""


@dataclass(frozen=True)
class Question:
    tokens: Tokens
    """Piece of a record that the net can read at once, without a frame."""
    hidden: Array
    """(N,) bool: tokens that are hidden from the net."""
    at: Array
    """Ascending indices into the piece, of the hidden tokens that are asked for."""


def truth(questions: Sequence[Question], members: Sequence[int]) -> dict[str, Array]:
    """What the pieces of these questions hold at every asked token, end to end."""
    names = questions[members[0]].tokens.values
    return {n: np.concatenate([questions[m].tokens.values[n][questions[m].at] for m in members]) for n in names}


class Predictor:
    """A net and its modality, ready to answer, from any number of threads at once."""

    def __init__(self, net: MaskedNet, modality: Modality) -> None:
        self.net, self.modality = net, modality
        self.most = net.config.length - modality.frame_size
        """tokens of a record that are read at once"""

    def listable(self, tokens: Tokens) -> Array:
        """(N,) bool: of which tokens it can be listed what may stand there."""
        return self.net.listable(tokens.kind)

    def ask(
        self, questions: Sequence[Question], answer: Callable[[Distribution, list[int], Array], Sequence[_T]]
    ) -> list[_T]:
        """Calls answer(distribution, questions of this batch, rows' first index (n + 1,)) for each batch; it returns a
        result a question, and these come back in the order of the questions."""

        def one(members: list[int]) -> Sequence[_T]:
            batch, inner = self._batch([questions[m].tokens for m in members])
            hidden = np.zeros(len(batch), dtype=bool)
            hidden[inner] = np.concatenate([questions[m].hidden for m in members])
            counts = [len(questions[m].at) for m in members]
            offsets = np.cumsum([0] + [len(questions[m].tokens) for m in members])[:-1]
            at = inner[np.concatenate([questions[m].at + o for m, o in zip(members, offsets, strict=True)])]
            return answer(self.net(batch, hidden, at), members, np.concatenate([[0], np.cumsum(counts)]))

        return self._each([len(q.tokens) for q in questions], one)

    def states(self, records: Sequence[Tokens]) -> list[Array]:
        """(N + frame, W) final states of each piece, with nothing hidden."""

        def one(members: list[int]) -> list[Array]:
            batch, _ = self._batch([records[m] for m in members])
            states = self.net.states(batch, ~batch.present).float().cpu().numpy()
            return [states[a:b] for a, b in pairwise(batch.cu_seqlens)]

        return self._each([len(tokens) for tokens in records], one)

    def _each(self, lengths: Sequence[int], one: Callable[[list[int]], Sequence[_T]]) -> list[_T]:
        """one(members) for each batch, whose results come back in the order of the records."""
        threads = torch.get_num_threads() if self.net.device.type == "cpu" else 1
        batches = _cut(np.asarray(lengths) + self.modality.frame_size, threads)

        @torch.no_grad()
        def work(members: list[int]) -> Sequence[_T]:
            return one(members)

        found: list[Sequence[_T]]
        if min(len(batches), threads) < 2:
            found = [work(members) for members in batches]
        else:
            futures = [single_core_workers(threads).submit(work, members) for members in batches]
            try:
                found = [future.result() for future in futures]
            finally:  # whoever presses Ctrl-C waits for the batches under way alone
                for future in futures:
                    future.cancel()
        out: dict[int, _T] = {}
        for members, results in zip(batches, found, strict=True):
            out |= zip(members, results, strict=True)
        return [out[number] for number in range(len(lengths))]

    def _batch(self, records: Sequence[Tokens]) -> tuple[Batch, Array]:
        """Records with their frames, and the batch's tokens that are the records' own."""
        batch = self.modality.frame(collate(records, np.zeros(len(records), dtype=np.uint64)))
        return batch, _own(batch, [len(tokens) for tokens in records])


def _cut(lengths: Array, threads: int) -> list[list[int]]:
    """Records to batches of at most BATCH_TOKENS, or one, shortest first; as many as keep all threads at work."""
    total = int(lengths.sum())
    rounds = -(-total // (BATCH_TOKENS * threads))
    most = max(-(-total // (rounds * threads)), LEAST_TOKENS) if total else 1
    out: list[list[int]] = []
    size = 0
    for i in np.argsort(lengths, kind="stable").tolist():
        if not out or size + lengths[i] > most:
            out.append([])
            size = 0
        out[-1].append(i)
        size += int(lengths[i])
    return out


def _own(batch: Batch, lengths: Sequence[int]) -> Array:
    """Indices in a framed batch of the tokens that are not frame: a frame stands around, half before and half after."""
    size = np.asarray(lengths)
    before = (batch.lengths - size + 1) // 2
    first = batch.cu_seqlens[:-1] + before
    return np.repeat(first - np.concatenate([[0], np.cumsum(size)[:-1]]), size) + np.arange(size.sum())
