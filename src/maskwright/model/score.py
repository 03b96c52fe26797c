"""How strange is each token: -log p of what stands there, given the rest (pseudo-log-likelihood, Salazar et al., 2020,
with the within-word correction of Kauf and Ivanova, 2023).

In: records' tokens, a number of passes. Out: nats a token. Every token is predicted exactly once: in `passes` masks
with disjoint targets a window, or one token at a time ("all": the exact one).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from maskwright.errors import QueryError
from maskwright.model.numbers import whole
from maskwright.model.predictor import Predictor, Question, truth
from maskwright.model.windows import windows
from maskwright.tokens import Array, Distribution, Tokens, collate
from maskwright.tokens.masking import cover

ALL = "all"


def checked_passes(passes: int | str) -> int | str:
    """A number of passes, or "all". Raises QueryError for anything else."""
    if isinstance(passes, str) and passes == ALL:
        return passes
    try:
        return whole(passes, "passes", 1)
    except QueryError:
        raise QueryError(f'passes must be a whole number above 0, or "all"; got {passes!r}', option="passes") from None


def score(predictor: Predictor, records: Sequence[Tokens], keys: Sequence[int], passes: int | str) -> list[Array]:
    """(N,) nats for each record, 0 where a token is absent. The masks depend on a record's key and `passes` alone."""
    questions: list[Question] = []
    places: list[tuple[int, Array]] = []
    for number, (tokens, key) in enumerate(zip(records, keys, strict=True)):
        cuts = windows(tokens.shape, predictor.most)
        for w, own in enumerate(cuts.tokens):
            piece = tokens.take(own)
            mine = cuts.owner[own] == w
            # A window that answers for a part takes that part of the passes: as much of it is hidden as of a whole one.
            most = int(mine.sum())
            count = most if passes == ALL else min(-(-int(passes) * most // max(len(piece), 1)), most)
            for mask in cover(collate([piece], [key]), max(count, 1), mine):
                questions.append(Question(piece, mask.hidden, mask.target))
                places.append((number, own[mask.target]))
    answers = predictor.ask(questions, lambda d, members, rows: _nll(questions, d, members, rows))
    out = [np.zeros(len(tokens)) for tokens in records]
    for (number, at), nll in zip(places, answers, strict=True):
        out[number][at] = nll
    return out


def _nll(questions: Sequence[Question], distribution: Distribution, members: list[int], rows: Array) -> list[Array]:
    nll = distribution.nll(truth(questions, members)).double().cpu().numpy()
    return [nll[a:b] for a, b in pairwise(rows)]
