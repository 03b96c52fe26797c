"""How long do `import maskwright` and `maskwright --help` take, and the first step of a run?

    python benchmarks/start.py --work DIR [--rounds 7]

The first step: from the command's start until metrics.jsonl has its first line, on 200 kB of text, on a machine that has run
one before (the kernels are built and kept), and on one that hasn't.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from corpora import report


def timed(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begun


def first_step(cache: Path, data: Path) -> float:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "m"
        command = [sys.executable, "-m", "maskwright", "train", str(data), "--out", str(out), "--steps", "1",
                   "--set", "calibration.slots=4"]  # fmt: skip
        begun, metrics = time.perf_counter(), out / "metrics.jsonl"
        run = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=os.environ | {"XDG_CACHE_HOME": str(cache)})
        while run.poll() is None and not (metrics.exists() and metrics.stat().st_size):
            time.sleep(0.01)
        took = time.perf_counter() - begun
        if run.wait():
            raise RuntimeError("the run failed")
        return took


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--work", type=Path, required=True)
    asked.add_argument("--rounds", type=int, default=7)
    options = asked.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    data = options.work / "start.txt"
    data.write_text("\n".join(f"The {n} th of {n * n % 977} birds sang in tree {n % 31}." for n in range(5000)))
    took: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        took.setdefault("import maskwright", []).append(timed([sys.executable, "-c", "import maskwright"]))
        took.setdefault("maskwright --help", []).append(timed([sys.executable, "-m", "maskwright", "--help"]))
    with tempfile.TemporaryDirectory() as cache:
        took["first step, first run"] = [first_step(Path(cache), data)]
        took["first step, later runs"] = [first_step(Path(cache), data) for _ in range(3)]
    rows: list[dict[str, Any]] = [{"what": k, "seconds": round(statistics.median(v), 3)} for k, v in took.items()]
    report("start", rows)


if __name__ == "__main__":
    main()
