"""How models and answers show themselves in a notebook.

In: what the library gave. Out: HTML without scripts or styles of a page, every text escaped. Draws no pictures.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maskwright.model.about import About
    from maskwright.model.results import Filling, Score

DARKEST = 8.0
"""Nats of a token from which it is shown as strange as can be."""
MOST_TOKENS = 2000
"""Tokens of a score that are shown."""


def model_facts(about: About) -> list[tuple[str, str]]:
    """What a person wants to know of a model: names and values."""
    net = about.net
    facts = [("kind of data", about.modality)]
    if about.data:
        facts.append(("data", f"{', '.join(about.data.paths)}: {about.data.records:,} records"))
    facts.append(("net", f"width {net['width']}, {net['layers']} layers, reads {net['length']} tokens"))
    if about.trained:
        facts.append(("trained", f"{about.trained.step:,} steps, {about.trained.seconds:.0f} s"))
    if about.held_out:
        counting = about.held_out.floor_neighbours
        beside = "" if counting is None else f", counting {counting:.3f}"
        facts.append(("held-out bits a byte", f"{about.held_out.bits_per_byte:.3f}{beside}"))
    return facts


def model_html(about: About) -> str:
    return _table((), model_facts(about))


def filling_html(filling: Filling) -> str:
    """The best completion; then all that were asked for, or what may stand at each blank."""
    best = f"<p>{escape(str(filling.value))} <small>p = {filling.prob:.3g}</small></p>"
    if filling.completions:
        rows = [(f"{c.prob:.3g}", str(c.value)) for c in filling.completions]
        return best + _table(("p", "completion"), rows)
    offers = [
        (str(slot.offset), ", ".join(f"{token!r} {p:.3f}" for token, p in zip(slot.tokens, slot.probs, strict=True)))
        for slot in filling.slots
    ]
    return best + (_table(("at", "may stand there"), offers) if offers else "")


def score_html(score: Score) -> str:
    """Its tokens, the redder the stranger."""
    parts = []
    for token, nats in zip(score.tokens[:MOST_TOKENS], score.per_token[:MOST_TOKENS], strict=True):
        strength = min(max(nats / DARKEST, 0.0), 1.0)
        parts.append(
            f'<span title="{nats:.2f} nats" style="background:rgba(220,60,40,{strength:.2f})">{escape(token)}</span>'
        )
    more = f" … and {len(score.tokens) - MOST_TOKENS:,} more" if len(score.tokens) > MOST_TOKENS else ""
    head = f"<p>{score.total:.2f} nats in all, {score.mean:.2f} a token; redder is stranger</p>"
    return f'{head}<p style="white-space:pre-wrap">{"".join(parts)}{more}</p>'


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in names)}</tr>" if names else ""
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{head}{body}</table>"
