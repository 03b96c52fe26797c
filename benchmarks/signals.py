"""How long does a run go on after Ctrl-C or SIGTERM, whatever it is doing, and is a budget kept on words without an end?

    python benchmarks/signals.py --work WORK [--moments 20]

A run on some 60 MB of generated text is told to stop at moments spread over all that it does: loading, reading, the
tokeniser, tokenising, training, calibrating. Reported: seconds until the process is gone, and what it had said last.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from corpora import report
from reading import WORDS

BUDGET = 60


def moment(data: Path, out: Path, after: float, which: signal.Signals) -> dict[str, Any]:
    command = [sys.executable, "-m", "maskwright", "train", str(data), "--out", str(out), "--budget", f"{BUDGET}s"]
    with open(out.with_suffix(".log"), "w+") as log:
        process = subprocess.Popen(command, stderr=log, stdout=subprocess.DEVNULL)
        time.sleep(after)
        process.send_signal(which)
        begun = time.monotonic()
        code = process.wait(timeout=300)
        log.seek(0)
        said = [line.strip() for line in log if line.strip()]
    phase = next((line for line in reversed(said) if line.startswith("[")), "before anything was said")
    took = round(time.monotonic() - begun, 2)
    return {"after_s": round(after, 1), "signal": which.name, "gone_after_s": took, "code": code, "phase": phase[:60]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--moments", type=int, default=20)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    rng = random.Random(0)
    data, letters = options.work / "lines.txt", options.work / "genome.txt"
    block = "".join(" ".join(rng.choices(WORDS.split(), k=20)) + f" {rng.randrange(10**6)}\n" for _ in range(60_000))
    data.write_text(block * 10)
    letters.write_text("".join(rng.choices("ACGT", k=1_000_000)))
    rows = []
    for number in range(options.moments):
        after = 0.5 + (BUDGET - 2) * number / max(options.moments - 1, 1)
        which = signal.SIGINT if number % 2 else signal.SIGTERM
        rows.append(moment(data, options.work / f"m{number}", after, which))
    begun = time.monotonic()
    command = [
        sys.executable,
        "-m",
        "maskwright",
        "train",
        str(letters),
        "--out",
        str(options.work / "genome"),
        "--budget",
        "30s",
    ]
    code = subprocess.run(command, stderr=subprocess.DEVNULL).returncode
    longest = max(row["gone_after_s"] for row in rows)
    genome = {"one line of 1 MB, --budget 30s": round(time.monotonic() - begun, 1), "code": code}
    report("every phase heeds a signal, and words without an end keep a budget", [{"longest_s": longest}, genome, *rows])


if __name__ == "__main__":
    main()
