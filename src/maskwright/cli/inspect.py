"""What a data set, a model or a run is, in one screen.

In: a path. Out: plain lines. Trains and answers nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from maskwright.cli import format
from maskwright.modalities import detect
from maskwright.model.about import ABOUT, About, read_about
from maskwright.records.notices import Listener
from maskwright.records.read import Source, read
from maskwright.records.record import fold_key
from maskwright.records.table import Layout


def model(folder: Path) -> list[str]:
    """A model folder, or a run on its way."""
    about = read_about(folder) if (folder / ABOUT).is_file() else None
    lines = [f"{folder}: " + ("a model" if about and about.finished else "a run that is not finished")]
    metrics = folder / "metrics.jsonl"
    if metrics.is_file():
        looks = [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines() if '"held_out"' in line]
        if looks:
            first, last = looks[0], looks[-1]
            lines.append(f"  held-out bits a byte: {first['held_out']['bits_per_byte']:.3f} at step {first['step']}, "
                         f"{last['held_out']['bits_per_byte']:.3f} at step {last['step']}")  # fmt: skip
    return lines + [f"  {line}" for line in (_facts(about) if about else ())]


def _facts(about: About) -> Iterator[str]:
    net = about.net
    yield f"{about.modality}, made by maskwright {about.version}"
    if about.data:
        data = about.data
        yield (
            f"data: {', '.join(data.paths)}: {data.records:,} records, {data.bytes / 1e6:.2f} MB,"
            f" {data.duplicates:,} duplicates left out, {data.held_out_records:,} records held out"
        )
    yield f"net: width {net['width']}, {net['layers']} layers, {net['heads']} heads, reads {net['length']} tokens"
    if about.trained:
        done = about.trained
        yield f"weights of step {done.step:,} of {done.steps:,}; {done.seconds:.0f} s; data seen {done.epochs} times"
    if about.held_out:
        yield format.held_out(about.held_out)
    yield "calibrated" if about.calibration else "not calibrated yet"


def data(
    path: str,
    field: str | None,
    record: str | None,
    layout: Layout,
    modality: str,
    on_skipped: Listener,
    on_notice: Listener,
) -> list[str]:
    """A data set: what its records are, or are asked to be taken for, how many, how large, how many twice."""
    if modality == "auto":
        found, why = detect.claimed((path,), field=field)
    else:
        found, why = detect.descriptor(modality), "as asked"
    kind = found.value_type
    source = Source(
        paths=(path,), value_type=kind, field=field, grain=record, layout=layout.checked(),
        on_bad="skip", on_skipped=on_skipped, on_notice=on_notice,
    )  # fmt: skip
    folds: list[int] = []

    def values() -> Iterator[Any]:
        for one in read(source):
            folds.append(fold_key(one, kind.fold(one.value)))
            yield one.value

    facts = kind.display.facts(values())
    lines = [f"taken for {kind.name}: {why}", *facts, f"{len(folds) - len(set(folds)):,} of them repeat another"]
    return [f"{path}: {len(folds):,} records", *(f"  {line}" for line in lines)]
