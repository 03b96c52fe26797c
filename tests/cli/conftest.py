"""What several tests of the command read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture
def table(tmp_path: Path, texts: list[str]) -> Path:
    path = tmp_path / "in.jsonl"
    rows = [json.dumps({"text": t + " {mask}"}) for t in texts[3000:3020]]
    path.write_text("\n".join([*rows[:5], "broken", *rows[5:], json.dumps({"text": "no blank"})]))
    return path
