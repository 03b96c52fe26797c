"""Does a token cost the same however large the corpus, and however long the document?

    python benchmarks/scaling.py --data DIR --work DIR [--rounds 3]

Corpora of 1e5, 1e6 and 1e7 tokens: seconds of training a token over the second half of the steps, and the peak memory of the
whole command. Documents of 1e3, 1e4 and 1e5 tokens: seconds a token in `embed`, as many tokens in all each time.
"""

from __future__ import annotations

import itertools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

import maskwright as mw
from corpora import parser, report
from maskwright.modalities.text.bpe import Vocabulary

STEPS, SIZES, LENGTHS = 60, (10**5, 10**6, 10**7), (10**3, 10**4, 10**5)
ONE = """
import json, resource, sys
import maskwright as mw
mw.train(sys.argv[1], out=sys.argv[2], steps={steps}, tokenizer=sys.argv[3],
         settings=["net.width=192", "net.layers=4", "train.batch_tokens=4096", "calibration.slots=20",
                   "train.look_every=100000"])
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
"""


def texts(data: Path) -> Iterator[str]:
    """All corpora shuffled into each other, so that a small part is as mixed as a large one; and again, each time
    from another place in every text."""
    found = [text for path in sorted(data.glob("*.parquet")) if "text" in (table := pq.read_table(path)).column_names
             for text in table["text"].to_pylist()]  # fmt: skip
    order = np.random.default_rng(0).permutation(len(found))
    for turn in itertools.count():
        for number in order:
            yield found[number][turn:]


def corpus(options: Any, vocabulary: Vocabulary, tokens: int) -> Path:
    path = Path(options.work / f"scaling-{tokens}.jsonl")
    if not path.exists():
        total = 0
        with open(path.with_suffix(".part"), "w") as file:
            for text in texts(options.data):
                file.write(json.dumps({"text": text}) + "\n")
                total += len(vocabulary.ids([text])[0])
                if total >= tokens:
                    break
        path.with_suffix(".part").rename(path)
    return path


def trained(options: Any, data: Path, tokenizer: Path, turn: int) -> tuple[float, float]:
    """Microseconds a token, peak megabytes."""
    out = options.work / f"{data.stem}-{turn}-{time.time_ns()}"
    command = [sys.executable, "-c", ONE.format(steps=STEPS), data, out, tokenizer]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    middle = min(lines[:-1], key=lambda line: abs(line["step"] - STEPS / 2))
    spent = (lines[-1]["t"] - middle["t"]) / (lines[-1]["tokens"] - middle["tokens"])
    return spent * 1e6, int(done.stdout.split()[-1]) / 1024


def main() -> None:
    asked = parser(__doc__ or "", [])
    asked.add_argument("--rounds", type=int, default=3)
    options = asked.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    folder = options.work / "scaling.tokenizer"
    if not folder.exists():
        folder.mkdir()
        Vocabulary.train(itertools.islice(texts(options.data), 3000), 8192).save(folder, 256)
    vocabulary = Vocabulary.load(folder)
    files = {size: corpus(options, vocabulary, size) for size in SIZES}
    found: dict[int, list[tuple[float, float]]] = {size: [] for size in SIZES}
    for turn, size in itertools.product(range(options.rounds), SIZES):
        found[size].append(trained(options, files[size], folder / "tokenizer.json", turn))
    rows: list[dict[str, Any]] = [
        {"corpus_tokens": size, "train_us_a_token": round(statistics.median(v[0] for v in values), 2),
         "peak_mb": round(max(v[1] for v in values))}
        for size, values in found.items()
    ]  # fmt: skip
    model = mw.load(max(options.work.glob(f"scaling-{SIZES[0]}-*"), key=lambda p: p.stat().st_mtime))
    long = " ".join(text for text in itertools.islice(texts(options.data), 2000))
    ids = vocabulary.ids([long[: 8 * LENGTHS[-1]]])[0][: LENGTHS[-1]]
    took: dict[int, list[float]] = {length: [] for length in LENGTHS}
    for _, length in itertools.product(range(options.rounds), LENGTHS):
        documents = [vocabulary.text(ids[i : i + length]) for i in range(0, len(ids), length)]
        begun = time.perf_counter()
        model.embed(documents)
        took[length].append((time.perf_counter() - begun) / len(ids) * 1e6)
    rows += [{"document_tokens": n, "embed_us_a_token": round(statistics.median(v), 2)} for n, v in took.items()]
    report("time and memory beside the size of corpora and the length of documents", rows)


if __name__ == "__main__":
    main()
