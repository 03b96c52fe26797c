"""The course of a run as a person reads it: held-out bits beside counting, loss and speed, from first look to last.

In: a run's metrics.jsonl. Out: plain lines. A line that was cut off while it was written is left out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

MOST_LOOKS = 12
"""Looks at held-out data that are shown; of more every so manieth, and the last."""
WIDTH = 40
"""Characters of the longest bar."""


def read(metrics: Path) -> list[dict[str, Any]]:
    """The lines of a metrics.jsonl that are whole."""
    out = []
    for line in metrics.read_text(encoding="utf-8").splitlines():
        with suppress(json.JSONDecodeError):
            out.append(json.loads(line))
    return out


def course(lines: Sequence[dict[str, Any]]) -> list[str]:
    """A line for each look, a bar as long as its bits, and where counting stands; nothing before the first look."""
    looks = [line for line in lines if "held_out" in line]
    if not looks:
        return []
    shown = _some(looks)
    floors = {f"counting {name}": looks[-1]["held_out"].get(f"floor_{name}") for name in ("neighbours", "frequency")}
    bits = [look["held_out"]["bits_per_byte"] for look in shown]
    known = {name: floor for name, floor in floors.items() if floor is not None}
    longest = max([*bits, *known.values()])
    out = ["held-out bits a byte, lower is better:"]
    for look, found in zip(shown, bits, strict=True):
        words = [f"{look['elapsed']:.0f} s"] if "elapsed" in look else []
        words += [f"loss {look['loss']:.2f}"] if look.get("loss") is not None else []
        words += [f"{look['tokens_per_s']:,.0f} tokens/s"] if look.get("tokens_per_s") else []
        label = f"step {look['step']:,}"
        out.append(f"  {label:<19}  {found:7.3f}  {_bar(found, longest)}  {', '.join(words)}".rstrip())
    out += [f"  {name:<19}  {floor:7.3f}  {_bar(floor, longest)}".rstrip() for name, floor in known.items()]
    return out


def _some(looks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    every = -(-len(looks) // MOST_LOOKS)
    shown = list(looks[::every])
    return shown if shown[-1] is looks[-1] else [*shown, looks[-1]]


def _bar(value: float, longest: float) -> str:
    return f"{'#' * round(WIDTH * value / longest):<{WIDTH}}" if longest > 0 else ""
