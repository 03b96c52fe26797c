"""The docstrings of the installed Python packages.

In: whatever Python finds on its path. Out: a trained model in a temporary folder, and what it makes of docstrings that
it has not seen: fills, neighbours, oddness, and an honest sentence. Needs no network and no data of anybody's.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

import maskwright
from maskwright.model.model import Model
from maskwright.system.progress import Watcher

SCAN_SECONDS, SCAN_BYTES, BUDGET = 8.0, 6_000_000, "60s"
_SKIPPED = {"tests", "test", "testing", "_vendor", "vendored", "idlelib", "lib2to3", "site-packages", "__pycache__"}


@dataclass(frozen=True)
class Doc:
    text: str
    package: str
    file: str


def demo(watch: Watcher) -> list[Callable[[], None]]:
    """Trains, and returns what to print, in order."""
    docs = list(collect())
    aside = [doc for doc in docs if _hash(doc.file) % 20 == 0]
    own = [doc for doc in docs if _hash(doc.file) % 20 != 0]
    known = {" ".join(doc.text.split()) for doc in own}
    unseen = [doc for doc in aside if " ".join(doc.text.split()) not in known]
    home = Path(tempfile.mkdtemp(prefix="maskwright-demo-"))
    with open(home / "docstrings.jsonl", "w", encoding="utf-8") as file:
        file.writelines(json.dumps({"text": d.text, "file": d.file}) + "\n" for d in own)
    model = maskwright.train(
        str(home / "docstrings.jsonl"), out=str(home / "model"), field="text", group="file", budget=BUDGET, watch=watch
    )
    packages = len({doc.package for doc in docs})
    words = f"{len(docs):,} docstrings of {packages} packages; {len(unseen):,} of them the model has not seen."
    return [lambda: _show(model, own, unseen, words, home / "model")]


def collect() -> Iterator[Doc]:
    """Docstrings of modules, classes and functions; a file of each package in turn, until time or size is reached."""
    files = {package: sorted(paths, key=lambda p: _hash(p.name)) for package, paths in _packages().items()}
    deadline, size = time.monotonic() + SCAN_SECONDS, 0
    turn = 0
    while files and time.monotonic() < deadline and size < SCAN_BYTES:
        for package in list(files):
            if turn >= len(files[package]):
                del files[package]
                continue
            path = files[package][turn]
            for text in _docstrings(path):
                size += len(text)
                yield Doc(text, package, str(path))
        turn += 1


def _packages() -> dict[str, list[Path]]:
    out: dict[str, list[Path]] = {}
    for root in dict.fromkeys(Path(p) for p in sys.path if p):
        if not root.is_dir():
            continue
        for entry in sorted(root.iterdir()):
            if entry.suffix == ".py" and entry.is_file():
                out.setdefault(entry.stem, []).append(entry)
            elif (entry / "__init__.py").is_file() and entry.name not in _SKIPPED:
                found = entry.rglob("*.py")
                out.setdefault(entry.name, []).extend(p for p in found if not _SKIPPED & set(p.relative_to(root).parts))
    return out


def _docstrings(path: Path) -> Iterator[str]:
    try:
        source = path.read_text(encoding="utf-8")
        if len(source) > 400_000 or '"""' not in source:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            text = ast.get_docstring(node)
            if text and len(text) >= 20:
                yield text


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "big")


# What is shown


def _show(model: Model, own: list[Doc], unseen: list[Doc], words: str, home: Path) -> None:
    console = Console(width=min(Console().width, 110) if sys.stdout.isatty() else 110)
    held = model.about.held_out
    assert held is not None
    console.print(f"\n{words}", markup=False, highlight=False)
    _fills(console, model, unseen)
    _odd(console, model, unseen)
    _near(console, model, own, unseen)
    better = held.below_counting or 0.0
    verdict = (
        f"{better:.0%} better than" if better > 0.005 else "about as good as" if better > -0.02 else "not yet as good as"
    )
    console.print(
        f"\nHow good is a model of one minute? It guesses {held.top1:.0%} of hidden tokens exactly ({held.top5:.0%}"
        f" within five guesses) and needs {held.bits_per_byte:.2f} bits for a byte of new docstrings; counting which"
        f" token stands between two neighbours needs {held.floor_neighbours:.2f}, counting frequencies"
        f" {held.floor_frequency:.2f}. So it is {verdict} counting: it knows phrases, not facts. Ten minutes do more.",
        highlight=False, markup=False,
    )  # fmt: skip
    console.print(f'The model stays in {home}; try: maskwright fill {home} "Return the {{mask}} of the {{mask}}."',
                  markup=False, highlight=False, soft_wrap=True)  # fmt: skip


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", expand=False, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _fills(console: Console, model: Model, unseen: list[Doc]) -> None:
    """Sentences with two words hidden: filled, and what stood there."""
    queries, truths = [], []
    for doc in unseen:
        line = doc.text.split("\n")[0]
        words = list(re.finditer(r"(?<= )[a-z]{4,}(?= )", line))
        if not 60 <= len(line) <= 110 or len(words) < 5 or "{" in line:
            continue
        a, b = words[len(words) // 3], words[2 * len(words) // 3 + 1]
        queries.append(f"{line[: a.start()]}{{mask}}{line[a.end() : b.start()]}{{mask}}{line[b.end() :]}")
        truths.append((a.group(), b.group()))
        if len(queries) == 8:
            break
    table = _table("Filled: two words hidden in docstrings that it has not seen", "filled in", "stood there", "p")
    right = 0
    for query, filling, truth in zip(queries, model.fill(queries), truths, strict=True):
        parts, shown = query.split("{mask}"), Text()
        rest = filling.text
        for number, part in enumerate(parts):
            shown.append(part)
            rest = rest[len(part) :]
            if number < len(truth):
                word = rest[: rest.index(parts[number + 1])] if parts[number + 1] in rest else rest
                hit = word == truth[number]
                right += hit
                shown.append(word, style="bold green" if hit else "bold red")
                rest = rest[len(word) :]
        table.add_row(shown, ", ".join(truth), f"{filling.prob:.2f}")
    console.print()
    console.print(table)
    total = 2 * len(queries)
    console.print(f"{right} of {total} words exactly right (green).", highlight=False)


def _odd(console: Console, model: Model, unseen: list[Doc]) -> None:
    """The most ordinary and the strangest of them, and one with its words shuffled."""
    texts = [line for doc in unseen if 40 <= len(line := doc.text.split("\n")[0]) <= 100][:300]
    if len(texts) < 10:
        return
    scores = model.score(texts)
    order = np.argsort([s.mean for s in scores])
    table = _table("Scored: how odd is it? (nats a token)", "nats", "docstring")
    for i in (*order[:2], *order[-2:]):
        table.add_row(f"{scores[i].mean:.2f}", Text(texts[i]))
    middle = texts[order[len(order) // 2]]
    shuffled = " ".join(np.random.default_rng(0).permutation(middle.split(" ")))
    for text in (middle, shuffled):
        table.add_row(f"{model.score(text).mean:.2f}", Text(text + ("   <- the same, shuffled" if text is shuffled else "")))
    console.print()
    console.print(table)


def _near(console: Console, model: Model, own: list[Doc], unseen: list[Doc]) -> None:
    """The nearest of the docstrings that it was trained on, from another file."""
    first: Callable[[Doc], str] = lambda doc: doc.text.split("\n")[0]  # noqa: E731
    pool = [doc for doc in own if 30 <= len(first(doc)) <= 90][:3000]
    asked = [doc for doc in unseen if 40 <= len(first(doc)) <= 90][5:105:25]
    if not pool or not asked:
        return
    vectors: Any = model.embed([first(doc) for doc in pool])
    table = _table("Embedded: what is nearest in meaning, in another file", "docstring", "nearest", "cosine")
    for doc, vector in zip(asked, model.embed([first(doc) for doc in asked]), strict=True):
        near = int((vectors @ vector).argmax())
        table.add_row(Text(first(doc)), Text(first(pool[near])), f"{vectors[near] @ vector:.2f}")
    console.print()
    console.print(table)
