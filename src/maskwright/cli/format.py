"""Facts and answers as lines for a person, and as columns for a file.

In: what the library gave. Out: plain lines. Knows nothing of terminals: no colours, no widths to fit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from maskwright.errors import RecipeError, nearest

if TYPE_CHECKING:
    from maskwright.model.about import About, HeldOutFigures
    from maskwright.model.results import Filled, Filling, Score
    from maskwright.records.record import Record
    from maskwright.records.value_type import ValueType

SCORE_SCHEMA = {
    "total": "double", "mean": "double", "per_token": "doubles", "shares": "doubles", "tokens": "strings",
    "offsets": "offsets",
}  # fmt: skip
ODD_SCHEMA = {"odd": "bool", "threshold": "double"}
EMBED_SCHEMA = {"embedding": "floats"}
LISTED = 20
"""The most values of a prediction set that are printed."""


def fill_schema(value_type: ValueType) -> dict[str, str]:
    """Columns of `fill`'s answers, and their kinds."""
    from maskwright.model.results import value_column

    return {
        value_column(value_type): value_type.display.cell_type,
        "prob": "double",
        "log_prob": "double",
        "slots": "slots",
        "completions": "completions",
    }


def kept_names(kept: Sequence[str], columns: dict[str, str]) -> dict[str, str]:
    """What columns of the input are called beside an answer's, where one of those has their name."""
    taken = {"id", "source", *columns, *kept}
    out: dict[str, str] = {}
    for name in kept:
        if name in ("id", "source") or name in columns:
            other = f"input.{name}"
            while other in taken:
                other = f"input.{other}"
            out[name] = other
            taken.add(other)
    return out


def arrow_schema(columns: dict[str, str], kept: Mapping[str, Any] | None = None) -> Any:
    """The Arrow schema of a verb's answers, `id` and `source` before them, and what is kept of the input before these."""
    import pyarrow as pa

    kept = kept or {}
    called = kept_names(list(kept), columns)

    slot = [("tokens", pa.list_(pa.string())), ("probs", pa.list_(pa.float64())), ("offset", pa.int64()),
            ("region", pa.list_(pa.string()))]  # fmt: skip
    kinds = {
        "string": pa.string(),
        "double": pa.float64(),
        "strings": pa.list_(pa.string()),
        "bool": pa.bool_(),
        "doubles": pa.list_(pa.float64()),
        "floats": pa.list_(pa.float32()),
        "offsets": pa.list_(pa.list_(pa.int64())),
        "slots": pa.list_(pa.struct(slot)),
        "bytes": pa.binary(),
    }
    # A completion is what the row itself is, but for what stands at its slots.
    own = [(name, kinds[kind]) for name, kind in columns.items() if kind in ("string", "bytes", "double")]
    kinds["completions"] = pa.list_(pa.struct(own))
    names = {"id": "string", "source": "string"} | columns
    own_columns = [(called.get(name, name), kind) for name, kind in kept.items()]
    return pa.schema(own_columns + [(name, kinds[kind]) for name, kind in names.items()])


# Answers


def fill_columns(value_type: ValueType, filling: Filling, regions: bool) -> dict[str, Any]:
    """A filling as columns; `regions`: sets were asked for."""
    row = filling.row(value_type)
    if not regions:
        for slot in row["slots"]:
            slot.pop("region")
    if not row["completions"]:
        row.pop("completions")
    return row


def filled(value_type: ValueType, filling: Filling, alone: bool) -> list[str]:
    """The filled text; for one alone also what else may stand there."""
    shown = value_type.display.shown
    if not alone and not filling.completions and all(slot.region is None for slot in filling.slots):
        return [shown(filling.value)]
    if not alone:
        lines = [f"{_probability(c, '{:.4f}', 5)}\t{shown(c.value)}" for c in filling.completions or [filling]]
        return lines + [f"\tset of {len(s.region)}: {_listed(s.region)}" for s in filling.slots if s.region is not None]
    lines = [f"{shown(filling.value)}    " + _probability(filling, "p = {:.3g}", 5)]
    for slot in filling.slots:
        offered = "  ".join(
            f"{json.dumps(t, ensure_ascii=False)} {p:.3f}" for t, p in zip(slot.tokens, slot.probs, strict=True)
        )
        lines.append(f"  at {slot.offset}: {offered}")
        if slot.region is not None:
            lines.append(f"    set of {len(slot.region)}: {_listed(slot.region)}")
    return lines + [f"  {_probability(c, '{:.4f}', 5)}  {shown(c.value)}" for c in filling.completions]


def with_shares(value_type: ValueType, filling: Filling, alone: bool) -> list[str]:
    """Given targets, each with its share among them, and the probability of all that it says."""
    shown = value_type.display.shown
    lines = [f"{shown(filling.value)}"] if alone else []
    for share, completion in zip(filling.shares, filling.completions, strict=True):
        lines.append(f"  {share:6.1%}  {_probability(completion, '{:.4f}', 5):<16}  {shown(completion.value)}")
    return lines


def _listed(values: Sequence[str]) -> str:
    """The first values of a set."""
    more = f" and {len(values) - LISTED} more" if len(values) > LISTED else ""
    return " ".join(json.dumps(value, ensure_ascii=False) for value in values[:LISTED]) + more


def _probability(filled: Filled, words: str, digits: int) -> str:
    """A probability, or its logarithm where it would be written as 0."""
    said = words.format(filled.prob)
    return said if said.strip("p= 0.") else f"log p = {filled.log_prob:.{digits}g}"


def score_columns(score: Score, threshold: float | None) -> dict[str, Any]:
    """A score as columns; with a threshold also whether the record is odd."""
    odd = {} if threshold is None else {"odd": score.mean > threshold, "threshold": threshold}
    return asdict(score) | {"mean": score.mean} | odd


def scored(value_type: ValueType, record: Record, score: Score, threshold: float | None, alone: bool) -> list[str]:
    """Nats in all and a token; for one alone also those of each token."""
    odd = threshold is not None and score.mean > threshold
    if not alone:
        verdict = "" if threshold is None else "odd\t" if odd else "\t"
        brief = short(value_type.display.brief(record.value))
        return [f"{verdict}{score.total:.3f}\t{score.mean:.3f}\t{record.source}\t{brief}"]
    lines = [f"{score.total:.3f} nats in all, {score.mean:.3f} a token"]
    if threshold is not None:
        lines[0] += f": {'odd' if odd else 'ordinary'} (the line is at {threshold:.3f} a token)"
    pairs = zip(score.tokens, score.per_token, strict=True)
    return lines + [
        f"  {nats:7.3f}  {'#' * min(int(nats * 3), 40):<40} {json.dumps(t, ensure_ascii=False)}" for t, nats in pairs
    ]


# Runs


def held_out(seen: HeldOutFigures) -> str:
    """What a net did on held-out data, compared with counting."""
    words = f"held-out {seen.bits_per_byte:.3f} bits a byte"
    floors = {"neighbours": seen.floor_neighbours, "frequency": seen.floor_frequency}
    known = ", ".join(f"{name} {floor:.3f}" for name, floor in floors.items() if floor is not None)
    return f"{words} (counting: {known})" if known else words


def trained(out: str, about: About) -> list[str]:
    """The last words of a run."""
    held, done = about.held_out, about.trained
    if held is None or done is None:  # a checkpoint of another library's, that was finished before it began
        return [f"{out}: ready"]
    words, below = f"{out}: ready after {done.seconds:.0f} s; {held_out(held)}", held.below_counting
    if below is None:
        return [words]
    verdict = f"{below:.0%} below counting" if below > 0 else "no better than counting: train longer, or on more data"
    return [f"{words}: {verdict}"]


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Rows of one kind, a line each under their names."""
    names = list(rows[0])
    cells = [names] + [[f"{row[n]:,}" if isinstance(row[n], int) else str(row[n]) for n in names] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
    return ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]


def planned(rows: Sequence[dict[str, Any]]) -> list[str]:
    """A column a budget: what it would bring."""
    said = [
        {
            "budget": _span(row["seconds"]),
            "net": f"{row['width']} wide, {row['layers']} layers",
            "parameters": f"{row['parameters'] / 1e6:.1f} million",
            "reads at once": f"{row['length']} tokens",
            "a step": f"{row['batch_tokens']:,} tokens",
            "steps, about": f"{row['steps']:,}",
            "tokens a second": f"{row['tokens_per_s']:,}",
            "times the data": f"{row['epochs']:g}",
            "held-out bits a byte": (
                f"{row['bits_per_byte']:.2f} ({row['low']:.2f} to {row['high']:.2f})" if row["bits_per_byte"] else "unknown"
            ),
            "counting reaches": "unknown" if row["floor_neighbours"] is None else f"{row['floor_neighbours']:.2f}",
            "memory": f"{row['memory_mb']:,} MB",
            "disk, while it runs": f"{row['disk_mb']:,} MB",
        }
        for row in rows
    ]
    return table([{"": name, **{str(i): column[name] for i, column in enumerate(said)}} for name in said[0]])[1:]


def _span(seconds: float) -> str:
    """90 -> 90 s, 600 -> 10 min."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds % size == 0 or seconds >= 10 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:g} s"


def names(what: str) -> list[str]:
    """What `maskwright list` prints."""
    kinds = ("modalities", "families", "keys")
    if what == "modalities":
        from maskwright.modalities import detect

        return detect.names()
    if what == "families":
        from maskwright.modalities import detect

        known = [family for name in detect.names() for family in detect.modality(name).checkpoints.families]
        return [f"{family.name} ({family.architecture})" for family in known]
    if what == "keys":
        from maskwright.runs.recipe import explained, keys

        said = explained()
        values = {name: f"{name} = {json.dumps(key.default)}" for name, key in keys().items()}
        return [value + (f"  # {said[name]}" if name in said else "") for name, value in values.items()]
    raise RecipeError(f"choose one of {', '.join(kinds)}{nearest(what, kinds)}", where=f"list {what}")


def short(text: str, most: int = 80) -> str:
    """A text in quotes, its end left out where it is long."""
    return json.dumps(text if len(text) <= most else text[: most - 3] + "...", ensure_ascii=False)
