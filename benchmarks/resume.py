"""Is a run that was killed 20 times at random moments and resumed the same, byte for byte, as the one never killed?

python benchmarks/resume.py --data DIR --work DIR [--corpora gesetze_de,code_python] [--kills 20]
"""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from corpora import parser, part, report

STEPS = 3000
SETTINGS = ("net.width=96", "net.layers=3", "net.heads=3", "net.ff=128", "net.length=64", "train.batch_tokens=1024",
            "train.look_tokens=5000", "train.save_every=0.5", "calibration.slots=50", "tokenizer.size=2048")  # fmt: skip


def command(data: Path, out: Path, group: str) -> list[str]:
    own = ["--steps", str(STEPS), "--group", group, "--field", "text", *(a for s in SETTINGS for a in ("--set", s))]
    return [sys.executable, "-m", "maskwright", "train", str(data), "--out", str(out), "--resume", *own]


def digest(out: Path) -> str:
    return hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest()


def main() -> None:
    arguments = parser(__doc__ or "", ["gesetze_de", "code_python"])
    arguments.add_argument("--kills", type=int, default=20)
    options = arguments.parse_args()
    rows: list[dict[str, Any]] = []
    for name in options.corpora.split(","):
        corpus = part(options.data, options.work, name, options.budget)
        digests, kills, reached = [], 0, []
        for kind in ("whole", "again", "killed"):
            out = options.work / f"{name}.{kind}"
            shutil.rmtree(out, ignore_errors=True)
            chance = random.Random(0)
            while kind == "killed" and kills < options.kills:
                process = subprocess.Popen(command(corpus.train, out, corpus.group), stderr=subprocess.DEVNULL)
                time.sleep(chance.uniform(2.0, 7.0))
                if process.poll() is not None:
                    break  # it came to its end between two kills
                process.kill()
                process.wait()
                kills += 1
                found = sorted((out / "checkpoints").glob("step-*.safetensors"))
                reached.append(int(found[-1].stem.split("-")[1]) if found else 0)
            subprocess.run(command(corpus.train, out, corpus.group), stderr=subprocess.DEVNULL, check=True)
            digests.append(digest(out))
        rows.append({
            "corpus": name, "kills": kills, "last checkpoint at each kill": reached,
            "two runs identical": digests[0] == digests[1], "killed run identical": digests[0] == digests[2],
        })  # fmt: skip
    report("resume after kill -9 is exact", rows)


if __name__ == "__main__":
    main()
