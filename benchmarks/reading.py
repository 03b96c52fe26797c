"""How fast are tables read, beside the library that decodes them, in how much memory; and what do other columns cost?

    python benchmarks/reading.py --work WORK [--megabytes 1000]

csv, jsonl and Parquet of generated tickets, read as records of one column by a process of its own, beside pyarrow's reader
of the same file and column. Memory is the process's peak. `other_columns`: a table of 20,000 rows inspected with and without
768 floats a row beside the text, in turn; the ratio is the median over the pairs.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

from corpora import report

WORDS = "card money transfer lost bank the a my your and not why where when rate fee pay cash top account is was to"
PAIRS = 9


def rows(count: int) -> list[dict[str, Any]]:
    rng = random.Random(0)
    return [{"id": i, "text": " ".join(rng.choices(WORDS.split(), k=20)), "topic": f"t{i % 77}"} for i in range(count)]


def written(work: Path, megabytes: int) -> dict[str, Path]:
    """A file of each format, of about so many megabytes of text."""
    block = rows(100_000)
    times = max(int(megabytes * 1e6 / sum(len(row["text"]) for row in block)), 1)
    paths = {name: work / f"rows.{name}" for name in ("csv", "jsonl", "parquet")}
    table = pa.Table.from_pylist(block)
    with (
        open(paths["csv"], "w") as csv,
        open(paths["jsonl"], "w") as jsonl,
        pq.ParquetWriter(paths["parquet"], table.schema) as parquet,
    ):
        csv.write("id,text,topic\n")
        for _ in range(times):
            csv.writelines(f"{row['id']},{row['text']},{row['topic']}\n" for row in block)
            jsonl.writelines(json.dumps(row) + "\n" for row in block)
            parquet.write_table(table)
    return paths


def by_pyarrow(path: Path) -> int:
    """Rows that the library itself decodes, of one column, a batch at a time."""
    if path.suffix == ".csv":
        options = pyarrow.csv.ConvertOptions(include_columns=["text"])
        return sum(batch.num_rows for batch in pyarrow.csv.open_csv(path, convert_options=options))
    if path.suffix == ".jsonl":
        return sum(batch.num_rows for batch in pyarrow.json.open_json(path))
    return sum(batch.num_rows for batch in pq.ParquetFile(path).iter_batches(columns=["text"]))


def by_us(path: Path) -> int:
    from maskwright.modalities.text.value import TEXT
    from maskwright.records.read import Source, read

    return sum(1 for _ in read(Source(paths=(str(path),), value_type=TEXT, field="text")))


def measured(path: Path, who: str) -> dict[str, float]:
    """Seconds and peak memory of a process of its own."""
    command = [sys.executable, __file__, "--side", who, "--path", str(path), "--work", "."]
    return dict(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def side(who: str, path: Path) -> None:
    import resource

    begun = time.perf_counter()
    count = by_us(path) if who == "ours" else by_pyarrow(path)
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"records": count, "seconds": round(seconds, 2), "peak_mb": round(peak)}))


def other_columns(work: Path) -> dict[str, Any]:
    table = pa.Table.from_pylist(rows(20_000))
    vectors = pa.FixedSizeListArray.from_arrays(
        pa.array(np.random.default_rng(0).random(20_000 * 768, dtype=np.float32)), 768
    )
    wide = table.append_column("vector", vectors.cast(pa.list_(pa.float32())))
    out = {}
    for ending, write in {"parquet": pq.write_table, "arrow": arrow_file}.items():
        paths = [work / f"{name}.{ending}" for name in ("narrow", "wide")]
        for path, content in zip(paths, (table, wide), strict=True):
            write(content, path)
        ratios = []
        for _ in range(PAIRS):
            narrow, broad = (timed(lambda p=path: by_us(p)) for path in paths)  # type: ignore[misc]
            ratios.append(broad / narrow)
        out[ending] = round(float(np.median(ratios)), 3)
    return out


def arrow_file(table: pa.Table, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def timed(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--side", choices=["ours", "pyarrow"], help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        side(options.side, options.path)
        return
    options.work.mkdir(parents=True, exist_ok=True)
    out: list[dict[str, Any]] = []
    for name, path in written(options.work, options.megabytes).items():
        for who in ("ours", "pyarrow"):
            found = measured(path, who)
            rate = round(found["records"] / found["seconds"])
            out.append(
                {"format": name, "who": who, "file_mb": round(path.stat().st_size / 1e6), "records_per_s": rate} | found
            )
        path.unlink()
    out.append({"other_columns, wide over narrow": other_columns(options.work)})
    report("tables are read as streams, and columns that nobody asked for cost nothing", out)


if __name__ == "__main__":
    main()
