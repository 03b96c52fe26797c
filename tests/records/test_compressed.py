"""A compressed file reads like a plain one."""

from __future__ import annotations

import gzip
from pathlib import Path

import zstandard

from maskwright.records.compressed import inner_suffix, opened


def test_what_was_compressed_comes_back(tmp_path: Path) -> None:
    content = bytes(range(256)) * 9000
    for name, packed in {
        "a.bin": content, "a.bin.gz": gzip.compress(content), "Ä.bin.ZST": zstandard.compress(content),
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(packed)
        with opened(tmp_path / name) as stream:
            assert stream.peek(10)[:10] == content[:10]
            assert stream.read() == content
        assert inner_suffix(tmp_path / name) == ".bin"
