"""How long is a blank of unknown length? Joint probabilities favour the short; this makes lengths comparable.

In: for each length from one to eight, its best completion. Out: log weights of the lengths. A conditional logit
(McFadden, 1974) over what the net says of each completion: how sure it is of a token of it on average, given all the
others; how well the tokens around it go with it; and the length itself. Fitted on held-out stretches whose length is
known, leaning on weights that served on other data (LOG.md): a short run has few such stretches to fit on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from maskwright.modalities.base import Query
from maskwright.model.beam_decode import Completion, DecodeConfig, best
from maskwright.model.predictor import Predictor, Question, truth
from maskwright.model.windows import around
from maskwright.tokens import Array, Tokens, collate

LONGEST = 8
REACH = 4
"""tokens to either side whose fit with a completion is read"""
BEAM = 2
"""hypotheses of each length: eight lengths are sought at once"""
_START = [0.75, 0.2, 0.08, 0.04, -0.4]
_SPREAD = [0.3, 0.1, 0.05, 0.1, 0.3]
"""how far the weights may be expected to lie from their start"""


@dataclass(frozen=True)
class LengthPrior:
    """Weights of: mean pseudo-log-likelihood a token, fit of the two neighbours, fit of those beyond, length, its log."""

    weights: list[float] = field(default_factory=lambda: list(_START))

    def __call__(self, features: Array) -> Array:
        """(n, 5) features -> (n,) log weights."""
        out: Array = features @ np.asarray(self.weights)
        return out


def features(reader: Predictor, asked: Sequence[Query], found: Sequence[Completion], config: DecodeConfig) -> Array:
    """(n, 5) for one completion each."""
    rows = []
    for query, completion, (near, far) in zip(asked, found, _surroundings(reader, asked, found, config), strict=True):
        blanks = int((~query.tokens.present).sum())
        alone = 2 * completion.rank - completion.log_prob
        rows.append([alone / blanks, near, far, float(blanks), float(np.log(blanks))])
    return np.array(rows).reshape(-1, len(_START))


def _surroundings(
    reader: Predictor, asked: Sequence[Query], found: Sequence[Completion], config: DecodeConfig
) -> list[tuple[float, float]]:
    """For each completion, the summed log p of its two neighbours, and of the next up to REACH tokens on either side,
    each hidden alone."""
    questions: list[Question] = []
    owner: list[tuple[int, int]] = []
    for number, (query, completion) in enumerate(zip(asked, found, strict=True)):
        blanks = np.flatnonzero(~query.tokens.present)
        near = np.concatenate([np.arange(blanks[0] - REACH, blanks[0]), np.arange(blanks[-1] + 1, blanks[-1] + 1 + REACH)])
        for i in near[(near >= 0) & (near < len(query.tokens))]:
            own = around(query.tokens.shape, np.array([i]), reader.most)
            window, at = completion.tokens.take(own), np.searchsorted(own, [i])
            hidden = ~window.present
            hidden[at] = True
            questions.append(Question(window, hidden, at))
            owner.append((number, int(i not in (blanks[0] - 1, blanks[-1] + 1))))

    def answer(distribution: Any, members: list[int], rows: Array) -> list[float]:
        return list(-distribution.tempered(config.temperature).nll(truth(questions, members)).double().cpu().numpy())

    out = np.zeros((len(asked), 2))
    for (number, beyond), log_p in zip(owner, reader.ask(questions, answer), strict=True):
        out[number, beyond] += log_p
    return [(float(near), float(far)) for near, far in out]


def variants(asked: Query, longest: int = LONGEST) -> list[Query]:
    """A query with a stretch of blanks, with one to `longest` blanks in its place; its own truth stays with it."""
    at = np.flatnonzero(~asked.tokens.present)
    before, after = asked.tokens.take(slice(0, at[0])), asked.tokens.take(slice(at[-1] + 1, None))
    blank = asked.tokens.take(at[:1])
    out = []
    for length in range(1, longest + 1):
        tokens = join_all([before, *[blank] * length, after])
        out.append(Query(tokens, asked.template, asked.truth if length == len(at) else None))
    return out


def join_all(parts: Sequence[Tokens]) -> Tokens:
    """Parts of one record, end to end along its only axis."""
    whole = collate(parts, np.zeros(len(parts), dtype=np.uint64)).take(slice(None))
    return replace(whole, positions=np.arange(len(whole))[:, None])


def fit(reader: Predictor, spans: Sequence[Query], config: DecodeConfig) -> LengthPrior:
    """The weights under which the true length is likeliest; they lean on the start where spans are few."""
    if not spans:
        return LengthPrior()
    many = [variants(span) for span in spans]
    flat = [variant for group in many for variant in group]
    config = replace(config, beam=BEAM)
    found = [completions[0] for completions in best(reader, flat, config)]
    x = torch.from_numpy(features(reader, flat, found, config)).view(len(spans), LONGEST, -1)
    true = torch.tensor([int((~span.tokens.present).sum()) - 1 for span in spans])
    start = torch.tensor(_START, dtype=torch.float64)
    spread = torch.tensor(_SPREAD, dtype=torch.float64)
    weights = start.clone().requires_grad_()
    search = torch.optim.LBFGS([weights], max_iter=100, line_search_fn="strong_wolfe")

    def cost() -> torch.Tensor:
        search.zero_grad()
        loss = torch.nn.functional.cross_entropy(x @ weights, true, reduction="sum")
        loss = loss + (((weights - start) / spread) ** 2).sum() / 2
        loss.backward()
        return loss

    search.step(cost)
    return LengthPrior([round(float(w), 5) for w in weights.detach()])
