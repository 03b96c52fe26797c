"""The same few texts as tables of every format, and what is read of a file."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq

from maskwright.modalities.text.value import TEXT
from maskwright.records.read import Source, read

TEXTS = ["Grüße aus Köln", 'with, comma and "quotes"', "two\nlines", "漢字 и кириллица 🎈", "plain"]
ROWS = [{"n": i, "text": text, "who": f"p{i % 2}"} for i, text in enumerate(TEXTS)]


def delimited(path: Path, separator: str = ",") -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["n", "text", "who"], delimiter=separator)
        writer.writeheader()
        writer.writerows(ROWS)


def jsonl(path: Path) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS), encoding="utf-8")


def stream(path: Path) -> None:
    table = pa.Table.from_pylist(ROWS)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)


WRITERS: dict[str, Callable[[Path], Any]] = {
    "a.jsonl": jsonl,
    "a.csv": delimited,
    "a.tsv": lambda path: delimited(path, "\t"),
    "a.parquet": lambda path: pq.write_table(pa.Table.from_pylist(ROWS), path),
    "a.feather": lambda path: pyarrow.feather.write_feather(pa.Table.from_pylist(ROWS), path),
    "a.arrow": stream,
}


def values(path: object, **options: Any) -> list[str]:
    return [record.value for record in read(Source(paths=(str(path),), value_type=TEXT, **options))]
