"""How long is a blank of unknown length? Joint probabilities favour the short; this makes lengths comparable.

In: for each length from one to eight, its best completion. Out: log weights of the lengths. A conditional logit
(McFadden, 1974) over what the net says of each completion: how sure it is of a token of it on average, given all the
others; how well the tokens around it go with it; and the length itself. Fitted on held-out stretches whose length is
known, leaning on weights that served on other data (LOG.md#span-length): a short run has few such stretches to fit on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from maskwright.modalities.base import Query
from maskwright.model.beam_decode import Completion, DecodeConfig, best
from maskwright.model.calibration import LENGTH_WEIGHTS, LengthPrior
from maskwright.model.predictor import Predictor, Question, truth
from maskwright.model.windows import around
from maskwright.tokens import Array, Distribution, Tokens, collate

REACH = 4
"""Tokens on either side of a completion whose fit with it is measured."""
BEAM = 2
"""Number of hypotheses kept for each length: eight lengths are searched at once."""
_SPREAD = [0.3, 0.1, 0.05, 0.1, 0.3]
"""Prior standard deviations of the weights around `LENGTH_WEIGHTS`."""


def features(predictor: Predictor, queries: Sequence[Query], found: Sequence[Completion], config: DecodeConfig) -> Array:
    """(n, 5) for one completion each."""
    rows = []
    for query, completion, (near, far) in zip(queries, found, _surroundings(predictor, queries, found, config), strict=True):
        blanks = len(query.blanks)
        alone = 2 * completion.rank - completion.log_prob
        rows.append([alone / blanks, near, far, float(blanks), float(np.log(blanks))])
    return np.array(rows).reshape(-1, len(LENGTH_WEIGHTS))


def _surroundings(
    predictor: Predictor, queries: Sequence[Query], found: Sequence[Completion], config: DecodeConfig
) -> list[tuple[float, float]]:
    """For each completion, the summed log p of its two neighbours, and of the next up to REACH tokens on either side,
    each hidden alone."""
    questions: list[Question] = []
    owner: list[tuple[int, int]] = []
    for number, (query, completion) in enumerate(zip(queries, found, strict=True)):
        blanks = query.blanks
        near = np.concatenate([np.arange(blanks[0] - REACH, blanks[0]), np.arange(blanks[-1] + 1, blanks[-1] + 1 + REACH)])
        for i in near[(near >= 0) & (near < len(query.tokens))]:
            own = around(query.tokens.shape, np.array([i]), predictor.most)
            window, at = completion.tokens.take(own), np.searchsorted(own, [i])
            hidden = ~window.present
            hidden[at] = True
            questions.append(Question(window, hidden, at))
            owner.append((number, int(i not in (blanks[0] - 1, blanks[-1] + 1))))

    def answer(distribution: Distribution, members: list[int], rows: Array) -> list[float]:
        return list(-distribution.tempered(config.temperature).nll(truth(questions, members)).double().cpu().numpy())

    out = np.zeros((len(queries), 2))
    for (number, beyond), log_p in zip(owner, predictor.ask(questions, answer), strict=True):
        out[number, beyond] += log_p
    return [(float(near), float(far)) for near, far in out]


def variants(query: Query, longest: int) -> list[Query]:
    """A query with a stretch of blanks, with one to `longest` blanks in its place; its own truth stays with it."""
    at = query.blanks
    before, after = query.tokens.take(slice(0, at[0])), query.tokens.take(slice(at[-1] + 1, None))
    blank = query.tokens.take(at[:1])
    out = []
    for length in range(1, longest + 1):
        tokens = join_all([before, *[blank] * length, after])
        out.append(Query(tokens, query.template, query.truth if length == len(at) else None))
    return out


def join_all(parts: Sequence[Tokens]) -> Tokens:
    """Parts of one record, end to end along its only axis."""
    whole = collate(parts, np.zeros(len(parts), dtype=np.uint64)).take(slice(None))
    return replace(whole, positions=np.arange(len(whole))[:, None])


def fit(predictor: Predictor, spans: Sequence[Query], config: DecodeConfig, longest: int) -> LengthPrior:
    """The weights under which the true length is likeliest; they lean on the start where spans are few."""
    if not spans:
        return LengthPrior()
    many = [variants(span, longest) for span in spans]
    flat = [variant for group in many for variant in group]
    config = replace(config, beam=BEAM)
    found = [completions[0] for completions in best(predictor, flat, config)]
    x = torch.from_numpy(features(predictor, flat, found, config)).view(len(spans), longest, -1)
    true = torch.tensor([len(span.blanks) - 1 for span in spans])
    start = torch.tensor(LENGTH_WEIGHTS, dtype=torch.float64)
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
