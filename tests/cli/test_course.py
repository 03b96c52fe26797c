"""The course of a run is drawn from its metrics, whole lines alone."""

from __future__ import annotations

import json
from pathlib import Path

from maskwright.cli.course import MOST_LOOKS, WIDTH, course, read


def test_bits_are_drawn_beside_counting(tmp_path: Path) -> None:
    looks = [
        {"step": 10 * n, "elapsed": 3.0 * n, "loss": 5.0 / n, "tokens_per_s": 4000.0,
         "held_out": {"bits_per_byte": 4.0 / n, "floor_neighbours": 1.0, "floor_frequency": 2.0}}
        for n in range(1, 40)
    ]  # fmt: skip
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text("".join(json.dumps(look) + "\n" for look in looks) + '{"step": 4')
    lines = course(read(metrics))
    assert lines[1].split() == ["step", "10", "4.000", "#" * WIDTH, "3", "s,", "loss", "5.00,", "4,000", "tokens/s"]
    assert lines[-3].split()[1] == "390"
    assert lines[-2].split() == ["counting", "neighbours", "1.000", "#" * (WIDTH // 4)]
    assert len(lines) <= MOST_LOOKS + 5
    assert course([{"step": 1, "loss": 3.0}]) == []
