"""Lines from all over a file are whole lines of it."""

from __future__ import annotations

import gzip
from itertools import pairwise
from pathlib import Path

import pytest

from maskwright.records.scattered import lines_of

LINES = [f"line {number} " + "x" * (number % 50) for number in range(5000)]


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "wide.txt"])
def test_they_are_spread_evenly(tmp_path: Path, name: str) -> None:
    content = "\r\n".join(LINES).encode("utf-16" if name == "wide.txt" else "utf-8")
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    found = [line.rstrip("\r\n") for _, line in lines_of(tmp_path / name, 100)]
    assert set(found) <= set(LINES)
    places = [LINES.index(line) for line in found]
    assert 90 <= len(places) <= 200
    assert max(b - a for a, b in pairwise(places)) < 200
