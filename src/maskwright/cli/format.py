"""Facts and answers as lines for a person, and as columns for a file.

In: what the library gave. Out: plain lines. Knows nothing of terminals: no colours, no widths to fit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from maskwright.cli.terminal import held_out_words
from maskwright.errors import RecipeError, nearest
from maskwright.records.forms import Form, told
from maskwright.records.read import Record, Source, read

SCORE_SCHEMA = {
    "total": "double", "mean": "double", "per_token": "doubles", "shares": "doubles", "tokens": "strings",
    "offsets": "offsets",
}  # fmt: skip
EMBED_SCHEMA = {"embedding": "floats"}


def fill_schema(form: Form) -> dict[str, str]:
    kind = "bytes" if form.endings else "string"
    return {
        form.column: kind,
        "prob": "double",
        "log_prob": "double",
        "slots": "slots",
        "completions": "completions",
    }


def arrow_schema(columns: dict[str, str]) -> Any:
    """The Arrow schema of a verb's answers, `id` and `source` before them."""
    import pyarrow as pa

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
    return pa.schema([(name, kinds[kind]) for name, kind in names.items()])


def filled(form: Form, record: Record, row: dict[str, Any], alone: bool) -> list[str]:
    """The filled text; for one alone also what else may stand there."""
    shown = form.shown(row[form.column])
    if not alone:
        return [form.shown(c[form.column]) for c in row.get("completions", [])] or [shown]
    lines = [f"{shown}    " + (f"p = {row['prob']:.3g}" if row["prob"] else f"log p = {row['log_prob']:.5g}")]
    for slot in row["slots"]:
        offered = "  ".join(
            f"{json.dumps(t, ensure_ascii=False)} {p:.3f}" for t, p in zip(slot["tokens"], slot["probs"], strict=True)
        )
        lines.append(f"  at {slot['offset']}: {offered}")
        if slot.get("region") is not None:
            values = [json.dumps(t, ensure_ascii=False) for t in slot["region"]]
            more = f" and {len(values) - 20} more" if len(values) > 20 else ""
            lines.append(f"    set of {len(values)}: {' '.join(values[:20])}{more}")
    for c in row.get("completions", []):
        p = f"{c['prob']:.4f}" if c["prob"] else f"log p = {c['log_prob']:.5g}"
        lines.append(f"  {p}  {form.shown(c[form.column])}")
    return lines


def scored(form: Form, record: Record, row: dict[str, Any], alone: bool) -> list[str]:
    if not alone:
        odd = ("odd\t" if row["odd"] else "\t") if "odd" in row else ""
        figures = f"{row['total']:.3f}\t{row['mean']:.3f}"
        return [f"{odd}{figures}\t{record.source}\t{_short(form.brief(record.value))}"]
    lines = [f"{row['total']:.3f} nats in all, {row['mean']:.3f} a token"]
    if "odd" in row:
        lines[0] += f": {'odd' if row['odd'] else 'ordinary'} (the line is at {row['threshold']:.3f} a token)"
    pairs = zip(row["tokens"], row["per_token"], strict=True)
    return lines + [
        f"  {nats:7.3f}  {'#' * min(int(nats * 3), 40):<40} {json.dumps(t, ensure_ascii=False)}" for t, nats in pairs
    ]


def embedded(record: Record, row: dict[str, Any], alone: bool) -> list[str]:
    return [" ".join(f"{x:.5f}" for x in row["embedding"])]


def trained(out: str, about: dict[str, Any]) -> list[str]:
    """The last words of a run."""
    held = about["held_out"]
    floor = held["floor_neighbours"]
    below = (floor - held["bits_per_byte"]) / floor
    verdict = f"{below:.0%} below counting" if below > 0 else "no better than counting: train longer, or on more data"
    return [f"{out}: ready after {about['trained']['seconds']:.0f} s; {held_out_words(held)}: {verdict}"]


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
            "counting reaches": f"{row['floor_neighbours']:.2f}",
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
        from maskwright.modalities import names as modalities

        return modalities()
    if what == "families":
        from maskwright.nets.checkpoints.convert import FAMILIES

        return [f"{family.name} ({family.architecture})" for family in FAMILIES.values()]
    if what == "keys":
        from maskwright.runs.recipe import Recipe, keys

        return [f"{key} = {json.dumps(Recipe()[key])}" for key in keys()]
    raise RecipeError(f"list {what}: choose one of {', '.join(kinds)}{nearest(what, kinds)}")


def model(folder: Path) -> list[str]:
    """A model folder, or a run on its way."""
    from maskwright.model.folder import read_about

    about = read_about(folder) if (folder / "maskwright.json").is_file() else {}
    lines = [f"{folder}: " + ("a model" if about.get("finished") else "a run that is not finished")]
    metrics = folder / "metrics.jsonl"
    if metrics.is_file():
        looks = [json.loads(line) for line in metrics.read_text().splitlines() if '"held_out"' in line]
        if looks:
            first, last = looks[0], looks[-1]
            lines.append(f"  held-out bits a byte: {first['held_out']['bits_per_byte']:.3f} at step {first['step']}, "
                         f"{last['held_out']['bits_per_byte']:.3f} at step {last['step']}")  # fmt: skip
    if about:
        data, net, done = about["data"], about["net"], about["trained"]
        lines += [
            f"  {about['modality']}, made by maskwright {about['version']}",
            f"  data: {', '.join(data['paths'])}: {data['records']:,} records, {data['bytes'] / 1e6:.2f} MB,"
            f" {data['duplicates']:,} duplicates left out, {data['held_out_records']:,} records held out",
            f"  net: width {net['width']}, {net['layers']} layers, {net['heads']} heads, reads {net['length']} tokens",
            f"  weights of step {done['step']:,} of {done['steps']:,}; {done['seconds']:.0f} s;"
            f" data seen {done['epochs']} times",
            f"  {held_out_words(about['held_out'])}",
            "  calibrated" if about["calibration"] else "  not calibrated yet",
        ]
    return lines


def data(source: Source, kind: str = "auto") -> list[str]:
    """A data set: what its records are, or are asked to be taken for, how many, how large, how many twice."""
    if kind == "auto":
        form, why = told(source.paths, source.field)
    else:
        from maskwright.modalities import modality

        form, why = modality(kind).form, "as asked"
    folds: list[int] = []

    def values() -> Iterator[Any]:
        for record in read(replace(source, form=form)):
            folds.append(record.fold)
            yield record.value

    facts = form.facts(values())
    lines = [f"taken for {form.name}: {why}", *facts, f"{len(folds) - len(set(folds)):,} of them repeat another"]
    return [f"{', '.join(source.paths)}: {len(folds):,} records", *(f"  {line}" for line in lines)]


def _short(text: str, most: int = 80) -> str:
    return json.dumps(text if len(text) <= most else text[: most - 3] + "...", ensure_ascii=False)
