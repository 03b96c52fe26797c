"""Many questions to a net in few batches: what stands at these tokens of these records, with those hidden?

In: `Question`s (a piece of a record, what is hidden, what is asked). Out: one distribution over all asked positions in
order, or states. Batches are cut by a budget of tokens, shortest questions first, and answers go back into the order of
the questions; another order or other company changes an answer by float noise at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from maskwright.modalities.base import Modality
from maskwright.nets.encoder import MaskedNet
from maskwright.tokens import Array, Batch, Tokens, join

BATCH_TOKENS = 8192


@dataclass(frozen=True)
class Question:
    tokens: Tokens
    """a piece that the net can read at once, without a frame"""
    hidden: Array
    """(N,) bool"""
    at: Array
    """ascending indices into the piece, among the hidden"""


def truth(questions: Sequence[Question], members: Sequence[int]) -> dict[str, Array]:
    """What the pieces of these questions hold at every asked token, end to end."""
    names = questions[members[0]].tokens.values
    return {n: np.concatenate([questions[m].tokens.values[n][questions[m].at] for m in members]) for n in names}


class Reader:
    """A net and its modality, ready to answer."""

    def __init__(self, net: MaskedNet, modality: Modality) -> None:
        self.net, self.modality = net, modality
        self.most = net.config.length - modality.frame_size
        """tokens of a record that are read at once"""

    @torch.no_grad()
    def ask(self, questions: Sequence[Question], answer: Callable[[Any, list[int], Array], Any]) -> list[Any]:
        """Calls answer(distribution, questions of this batch, rows' first index (n + 1,)) for each batch; it returns a
        result a question, and these come back in the order of the questions."""
        out: list[Any] = [None] * len(questions)
        for members, batch, inner in self._batches([q.tokens for q in questions]):
            hidden = np.zeros(len(batch), dtype=bool)
            hidden[inner] = np.concatenate([questions[m].hidden for m in members])
            counts = [len(questions[m].at) for m in members]
            offsets = np.cumsum([0] + [len(questions[m].tokens) for m in members])[:-1]
            at = inner[np.concatenate([questions[m].at + o for m, o in zip(members, offsets, strict=True)])]
            rows = np.concatenate([[0], np.cumsum(counts)])
            for member, result in zip(members, answer(self.net(batch, hidden, at), members, rows), strict=True):
                out[member] = result
        return out

    @torch.no_grad()
    def states(self, records: Sequence[Tokens]) -> list[Array]:
        """(N + frame, W) final states of each piece, with nothing hidden."""
        out: list[Any] = [None] * len(records)
        for members, batch, _ in self._batches(records):
            states = self.net.states(batch, ~batch.present).float().cpu().numpy()
            for i, member in enumerate(members):
                out[member] = states[batch.cu_seqlens[i] : batch.cu_seqlens[i + 1]]
        return out

    def _batches(self, records: Sequence[Tokens]) -> Iterator[tuple[list[int], Batch, Array]]:
        """(which records, their framed batch, the batch's tokens that are the records' own)."""
        order = sorted(range(len(records)), key=lambda i: len(records[i]))
        start = 0
        while start < len(order):
            end, total = start, 0
            while end < len(order) and (end == start or total + len(records[order[end]]) <= BATCH_TOKENS):
                total += len(records[order[end]]) + self.modality.frame_size
                end += 1
            members = order[start:end]
            batch = self.modality.frame(join([records[m] for m in members], np.zeros(len(members), dtype=np.uint64)))
            yield members, batch, _own(batch, [len(records[m]) for m in members])
            start = end


def _own(batch: Batch, lengths: Sequence[int]) -> Array:
    """Indices in a framed batch of the tokens that are not frame: a frame stands around, half before and half after."""
    size = np.asarray(lengths)
    before = (batch.lengths - size + 1) // 2
    first = batch.cu_seqlens[:-1] + before
    return np.repeat(first - np.concatenate([[0], np.cumsum(size)[:-1]]), size) + np.arange(size.sum())
