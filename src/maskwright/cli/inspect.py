"""What a data set, a model or a run is, in one screen.

In: a path. Out: plain lines. Trains and answers nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from maskwright.cli import format
from maskwright.cli.course import course
from maskwright.cli.course import read as read_metrics
from maskwright.modalities import detect
from maskwright.model.about import ABOUT, About, read_about
from maskwright.records.notices import Listener
from maskwright.records.read import Source, read
from maskwright.records.record import fold_key
from maskwright.records.table import Layout
from maskwright.runs.recipe import Recipe
from maskwright.runs.run_folder import METRICS, RECIPE


def model(folder: Path) -> list[str]:
    """A model folder, or a run on its way: what it is, and how it came about."""
    about = read_about(folder) if (folder / ABOUT).is_file() else None
    done = about is not None and about.finished
    lines = [f"{folder}: " + ("a model" if done else "a run that is not finished")]
    metrics = folder / METRICS
    seen = read_metrics(metrics) if metrics.is_file() else []
    if not done:
        lines += [f"  {words}" for words in _way_on(folder, seen)]
    lines += [f"  {line}" for line in (_facts(about) if about else ())]
    return lines + [f"  {line}" for line in course(seen)]


def _way_on(folder: Path, seen: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Where an unfinished run stands, and how it goes on."""
    if seen:
        last = seen[-1]
        asked = Recipe.read(folder / RECIPE).train.steps if (folder / RECIPE).is_file() else 0
        known = f" of {asked:,}" if asked > last["step"] else ""
        elapsed = f", {last['elapsed']:.0f} s after it began" if "elapsed" in last else ""
        yield f"it stands at step {last['step']:,}{known}{elapsed}"
    yield f"it goes on with: maskwright train --out {folder} --resume"


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
