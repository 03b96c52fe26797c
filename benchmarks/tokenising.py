"""What does it cost to bring a large corpus onto disk as tokens, beside `tokenizers` alone?

    python benchmarks/tokenising.py --data DIR --work DIR [--megabytes 1000]

A jsonl of that size from the corpora. Ours: `prepare`, from the file to memory-mapped shards with hashes for splitting.
`tokenizers` alone: the same file read and parsed, a tokeniser trained on as large a sample, every text encoded in batches of
the same size, the ids thrown away. Each in a process of its own, in turn; peak resident memory of the whole process.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from corpora import parser, report

NAMES = ("gesetze_de", "code_python", "peps_en", "sotu_en", "sgd_dialogues")


def ours(path: Path, work: Path) -> None:
    from maskwright.modalities import detect
    from maskwright.records.read import Source
    from maskwright.system.progress import unwatched
    from maskwright.training.prepare import prepare

    modality = detect.modality("text")
    prepare(Source(paths=(str(path),), value_type=modality.value_type, field="text"), None, modality, work, unwatched)


def alone(path: Path, size: int) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    from maskwright.modalities.text.bpe import suggested_size
    from maskwright.training.prepare import CHUNK_BYTES, SAMPLE_BYTES

    sample, held = [], 0
    with open(path) as file:
        for number, line in enumerate(file):
            if number * 7919 % 1000 < 1000 * SAMPLE_BYTES / size:
                sample.append(json.loads(line)["text"])
                held += len(sample[-1])
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(sample, trainers.BpeTrainer(vocab_size=suggested_size(size), show_progress=False))
    chunk, size = [], 0
    with open(path) as file:
        for line in file:
            chunk.append(json.loads(line)["text"])
            size += len(chunk[-1])
            if size >= CHUNK_BYTES:
                tokenizer.encode_batch_fast(chunk)
                chunk, size = [], 0
    tokenizer.encode_batch_fast(chunk)


def corpus(data: Path, path: Path, megabytes: int) -> int:
    """Records of the corpora again and again, each time with its round in front, until the file is large enough."""
    texts = [t for name in NAMES for t in pq.read_table(data / f"{name}.parquet", columns=["text"])["text"].to_pylist()]
    size = turn = 0
    with open(path, "w") as file:
        while size < megabytes * 1_000_000:
            for text in texts:
                file.write(json.dumps({"text": f"{turn} {text}"}, ensure_ascii=False) + "\n")
                size += len(text.encode()) + 2
                if size >= megabytes * 1_000_000:
                    break
            turn += 1
    return size


def main() -> None:
    arguments = parser(__doc__ or "", NAMES)
    arguments.add_argument("--megabytes", type=int, default=1000)
    arguments.add_argument("--side", choices=["ours", "alone"])
    options = arguments.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    path = options.work / f"large-{options.megabytes}.jsonl"
    if options.side:
        begun = time.perf_counter()
        if options.side == "ours":
            ours(path, options.work / "large-shards")
        else:
            alone(path, options.megabytes * 1_000_000)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(json.dumps({"seconds": time.perf_counter() - begun, "peak_gb": peak}))
        return
    size = corpus(options.data, path, options.megabytes)
    found: dict[str, list[dict[str, Any]]] = {"ours": [], "alone": []}
    for side in ("ours", "alone"):
        command = [sys.executable, __file__, "--data", options.data, "--work", options.work, "--side", side,
                   "--megabytes", str(options.megabytes)]  # fmt: skip
        found[side].append(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    row = {"megabytes": round(size / 1e6)}
    for side, runs in found.items():
        row |= {f"{side}, seconds": round(min(r["seconds"] for r in runs), 1),
                f"{side}, peak GB": round(max(r["peak_gb"] for r in runs), 2)}  # fmt: skip
    row["ratio"] = round(row["ours, seconds"] / row["alone, seconds"], 3)
    path.unlink()
    report("tokenising a large corpus", [row])


if __name__ == "__main__":
    main()
