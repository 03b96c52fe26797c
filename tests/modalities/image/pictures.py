"""A small picture, and what tests of files do with one."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np

from maskwright.records.notices import Notice

COLOURS = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)


def silent(notice: Notice) -> None:
    raise AssertionError(notice)


def hear(said: list[str]) -> Callable[[Notice], None]:
    """A listener that keeps the words."""
    return lambda notice: said.append(str(notice))


def encoded(image: Any, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()
