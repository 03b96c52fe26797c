"""How models and answers show themselves in a notebook.

In: what the library gave. Out: HTML without scripts or styles of a page, every text escaped. Draws no pictures.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maskwright.model.about import About

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


def filling_html(
    best: str,
    prob: float,
    completions: Sequence[tuple[float, str]],
    slots: Sequence[tuple[int, Sequence[str], Sequence[float]]],
) -> str:
    """The best completion; then all that were asked for, with their probabilities, or what may stand at each blank."""
    head = f"<p>{escape(best)} <small>p = {prob:.3g}</small></p>"
    if completions:
        return head + _table(("p", "completion"), [(f"{p:.3g}", text) for p, text in completions])
    offers = [
        (str(offset), ", ".join(f"{token!r} {p:.3f}" for token, p in zip(tokens, probs, strict=True)))
        for offset, tokens, probs in slots
    ]
    return head + (_table(("at", "may stand there"), offers) if offers else "")


def score_html(tokens: Sequence[str], nats: Sequence[float]) -> str:
    """Tokens, the redder the stranger; of very many the first."""
    parts = []
    for token, own in zip(tokens[:MOST_TOKENS], nats[:MOST_TOKENS], strict=True):
        colour = f"background:rgba(220,60,40,{min(max(own / DARKEST, 0.0), 1.0):.2f})"
        parts.append(f'<span title="{own:.2f} nats" style="{colour}">{escape(token)}</span>')
    more = f" … and {len(tokens) - MOST_TOKENS:,} more" if len(tokens) > MOST_TOKENS else ""
    total = sum(nats)
    head = f"<p>{total:.2f} nats in all, {total / max(len(nats), 1):.2f} a token; redder is stranger</p>"
    return f'{head}<p style="white-space:pre-wrap">{"".join(parts)}{more}</p>'


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in names)}</tr>" if names else ""
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{head}{body}</table>"
