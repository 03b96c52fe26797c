"""Two photographs that scikit-learn carries, cut into small ones.

In: those photographs. Out: a trained model in a temporary folder, and what it makes of a part of them that it has not seen:
holes filled, a foreign patch found, pictures told apart, and an honest sentence. Needs no network and no data of anybody's.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.text import Text

import maskwright
from maskwright.errors import DataError
from maskwright.modalities.image.files import encoded
from maskwright.modalities.image.pixels import Image
from maskwright.modalities.image.strips import heat, side_by_side
from maskwright.model.model import Model
from maskwright.system.progress import Watcher
from maskwright.tokens import Array

SIDE, STEP, ASIDE = 64, 24, 0.25
"""The side of a small picture and the step from one training picture to the next, in pixels; and the share of each
photograph that is held out."""
HOLE, FOREIGN = slice(20, 44), slice(24, 40)
"""Pixels, along both sides of a small picture, of the hole that is filled, and of the part that is put in from the other
photograph."""
BUDGET, SHOWN = "60s", 5


def demo(watch: Watcher) -> list[Callable[[], None]]:
    """Trains, and returns what to print, in order."""
    photos = _photographs()
    own, unseen = [], []
    for number, photo in enumerate(photos):
        edge = int(photo.shape[1] * (1 - ASIDE))
        own += [(number, part) for part in _parts(photo[:, :edge], STEP)]
        unseen += [(number, part) for part in _parts(photo[:, edge:], SIDE)]
    home = Path(tempfile.mkdtemp(prefix="maskwright-demo-"))
    for folder, parts in (("pictures", own), ("unseen", unseen)):
        (home / folder).mkdir()
        for count, (number, part) in enumerate(parts):
            (home / folder / f"{number}-{count:03}.png").write_bytes(encoded(Image(part)))
    data, aside = str(home / "pictures"), str(home / "unseen")
    model = maskwright.train(data, out=str(home / "model"), budget=BUDGET, held_out=aside, watch=watch)
    return [lambda: _show(model, own, unseen, home)]


def _photographs() -> list[Array]:
    try:
        from sklearn.datasets import load_sample_images

        return list(load_sample_images().images)
    except ImportError:
        fix = "pip install scikit-learn pillow"
        raise DataError("the demo shows photographs that scikit-learn carries", fix=fix) from None


def _parts(photo: Array, step: int) -> list[Array]:
    rows, columns = photo.shape[:2]
    corners = [(y, x) for y in range(0, rows - SIDE + 1, step) for x in range(0, columns - SIDE + 1, step)]
    return [np.ascontiguousarray(photo[y : y + SIDE, x : x + SIDE]) for y, x in corners]


def _show(model: Model, own: list[tuple[int, Array]], unseen: list[tuple[int, Array]], home: Path) -> None:
    console = Console(width=min(Console().width, 110) if sys.stdout.isatty() else 110)
    known = f"{len(own)} pictures of {SIDE} x {SIDE} pixels out of two photographs"
    _say(console, f"\n{known}; {len(unseen)} of a part that the model has not seen.")
    asked = [part for _, part in unseen[:: max(len(unseen) // SHOWN, 1)][:SHOWN]]
    _fills(console, model, asked, home / "filled.png")
    _odd(console, model, asked[0], unseen[-1][1], home / "heat.png")
    vectors, theirs = model.embed([part for _, part in own]), model.embed([part for _, part in unseen])
    right = [own[int((vectors @ v).argmax())][0] == number for v, (number, _) in zip(theirs, unseen, strict=True)]
    alike = "the nearest picture that it knows is of the same photograph"
    _say(console, f"\nEmbedded: {alike} {np.mean(right):.0%} of the time.")
    held = model.about.held_out
    assert held is not None
    share = held.below_counting or 0.0
    _say(
        console,
        f"\nHow good is a model of one minute and two photographs? A byte of a hidden patch costs it"
        f" {held.bits_per_byte:.2f} bits; what stands at the patch's edges foretells it to"
        f" {held.floor_neighbours:.2f}, counting colours to {held.floor_frequency:.2f}. So it is {abs(share):.0%}"
        f" {'better' if share > 0 else 'worse'} than looking at the edges: it knows colours and slopes, not things. More"
        " pictures and ten minutes do more.",
    )
    _say(console, f"The model stays in {home}; try:")
    _say(console, f"maskwright fill {home / 'model'} PICTURE.png --mask MASK.png --show strip.png")


def _say(console: Console, words: str) -> None:
    console.print(words, markup=False, highlight=False, soft_wrap=True)


def _fills(console: Console, model: Model, asked: list[Array], path: Path) -> None:
    mask = np.zeros((SIDE, SIDE), dtype=bool)
    mask[HOLE, HOLE] = True
    strips, better = [], 0.0
    for part, filling in zip(asked, model.fill(asked, mask=mask), strict=True):
        made = filling.value.pixels
        around = np.broadcast_to(part[~mask].mean(axis=0), part[mask].shape)
        better += (_error(part[mask], around) - _error(part[mask], made[mask])) / len(asked)
        strips.append(side_by_side([Image(part), Image(part, ~mask), Image(made)]))
    _draw(console, "Filled: a picture, what is hidden of it, what the model makes of it", strips, path)
    nearer = f"{abs(better):.1f} levels of 255 {'nearer' if better > 0 else 'farther off'} than the mean colour around"
    _say(console, f"On {len(asked)} of them the filling is {nearer}.")


def _odd(console: Console, model: Model, part: Array, other: Array, path: Path) -> None:
    """Four patches of the other photograph put in."""
    mixed = part.copy()
    mixed[FOREIGN, FOREIGN] = other[FOREIGN, FOREIGN]
    (score,) = model.score([mixed])
    strange = [score.offsets[i] for i in np.argsort(score.per_token)[-4:]]
    inside = sum(all(FOREIGN.start <= at < FOREIGN.stop for at in place[:2]) for place in strange)
    shown = heat(Image(mixed), score.offsets, score.per_token)
    _draw(console, "Scored: four patches of the other photograph put in; the stranger, the brighter", [shown], path)
    _say(console, f"{inside} of the 4 strangest patches are those.")


def _error(one: Array, other: Array) -> float:
    """Root of the mean square, in levels."""
    return float(np.sqrt(np.square(one.astype(float) - other.astype(float)).mean()))


def _draw(console: Console, title: str, pictures: list[Image], path: Path) -> None:
    """All pictures in a file, and the first in the terminal, two pixels a character."""
    path.write_bytes(encoded(Image(np.concatenate([p.pixels for p in pictures]))))
    console.print(f"\n{title} ({path})", style="bold", markup=False, highlight=False, soft_wrap=True)
    if console.is_terminal:
        step = -(-pictures[0].pixels.shape[1] // console.width)
        small: Any = pictures[0].pixels[::step, ::step]
        for upper, lower in zip(small[::2], small[1::2], strict=False):
            line = Text()
            for above, below in zip(upper.tolist(), lower.tolist(), strict=True):
                line.append("▀", style=f"rgb({above[0]},{above[1]},{above[2]}) on rgb({below[0]},{below[1]},{below[2]})")
            console.print(line)
