"""A source of records to token shards on disk, in two streaming passes: one to fit the tokeniser, one to cut.

In: a `Source`, a modality, a folder. Out: `Shards` and how they were made. Reading and tokenising run at once; memory stays
flat however large the corpus is. Shards that are there already are used again when the files they came from are as they
were.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import DataError
from maskwright.modalities.base import Modality, TokenColumns
from maskwright.records.notices import Notice
from maskwright.records.read import VALUES, Source, once, read, stamp
from maskwright.records.record import Record, fold_key, hashed
from maskwright.records.shards import Shards, Writer
from maskwright.records.table import AS_FOUND
from maskwright.system.atomic_files import write_whole
from maskwright.system.prefetch import prefetch
from maskwright.system.progress import Progress, Watcher, unwatched
from maskwright.tokens import Array

SAMPLE_BYTES = 24_000_000
"""Bytes of data that a tokeniser is fitted on, at most."""
CHUNK_BYTES = 1_000_000
STRETCHES = 40
LEAST_TOKENS = 2_000
"""Least number of tokens to train on: below this there is nothing to learn, and nothing to measure on."""
FEW_TOKENS = 4
"""Tokens of a record below which hardly anything is left to predict the hidden ones from."""


@dataclass(frozen=True)
class _Item:
    """A record on its way to the shards."""

    record: Record
    size: int
    """Bytes of user data in the record."""
    fold: int
    """Hash of the content that is equal where one record repeats another."""
    group: int
    """Hash of the group that the record belongs to."""


@dataclass(frozen=True)
class Prepared:
    shards: Shards
    own: Array | None
    """Record numbers of the user's own held-out data; None where there is none."""
    records: int
    bytes: int
    changed: bool
    """Whether the files are no longer what these tokens were made from."""
    stretched: bool
    """Whether records were few and large, so that they were cut, and parts of one may stand on both sides of the split."""


def prepare(
    source: Source, held_out: Source | None, modality: Modality, folder: Path, watch: Watcher, begun: bool = False
) -> Prepared:
    """Fits the modality and tokenises everything into `folder`, or takes up what an earlier try left there.

    A run that has `begun` goes on with the tokens that it began with, whatever has become of the files; before that they
    are used again where options and files are the same.
    """
    note = folder / "prepared.json"
    made = {"modality": modality.describe(), "sources": [_described(source), _described(held_out)]}
    if note.is_file() and Shards.ready(folder):
        known = json.loads(note.read_text(encoding="utf-8"))
        if begun or (known["made"] == made and not any(map(once, source.paths))):
            modality.load(folder)
            return _prepared(folder, known, modality, changed=known["made"] != made)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    grouped, source = source.group is not None, _spooled(source, folder)
    counted = _sampled(source, modality, watch, SAMPLE_BYTES)
    watch(Progress("tokeniser"))
    modality.fit(counted.kept, counted.size)
    size, few = counted.size, counted.few
    records = counted.records
    del counted
    modality.save(folder, 0)
    writer = Writer(folder, modality.columns)
    stretched = few and not (grouped or held_out)
    whole = _stretched(read(source), modality, size) if stretched else read(source)
    _tokenise(whole, source, modality, writer, watch)
    train = len(writer.lengths)  # without what the modality refused
    known = {"made": made, "records": records if stretched else train, "bytes": size, "train": train}
    if held_out:
        _tokenise(read(held_out), held_out, modality, writer, watch)
        if len(writer.lengths) == train:
            writer.discard()
            what = "none of what is to be held out could be read as the model reads"
            raise DataError(what, where=held_out.paths[0], option="held_out")
    writer.close()
    write_whole(note, json.dumps(known).encode())
    return _prepared(folder, known, modality)


def _described(source: Source | None) -> list[Any]:
    """Options and files: where equal, reading again would give the same records."""
    if source is None:
        return []
    own = [source.field, source.group, source.grain, list(asdict(source.layout).values()), source.on_bad]
    return [list(source.paths), *own, stamp(source)]


def _prepared(folder: Path, known: dict[str, Any], modality: Modality, changed: bool = False) -> Prepared:
    shards = Shards(folder)
    if shards.lengths.sum() < LEAST_TOKENS:
        raise _too_small(shards, modality, known["records"], known["bytes"])
    own = np.arange(known["train"], len(shards)) if known["train"] < len(shards) else None
    return Prepared(shards, own, known["records"], known["bytes"], changed, known["train"] > known["records"])


def too_short(shards: Shards, modality: Modality) -> str:
    """What to do where most records have too few tokens to tell one of them from the others; empty where they haven't."""
    most = round(float(np.median(shards.lengths))) if len(shards) else FEW_TOKENS
    held = f"{most} token" + "s" * (most != 1)
    if most >= FEW_TOKENS:
        return ""
    return f"most records have {held}, too few to tell one from the others: {modality.finer}"


def _too_small(shards: Shards, modality: Modality, records: int, size: int, share: float = 1.0) -> DataError:
    what = f"too small to train on: {shards.lengths.sum() / share:.0f} tokens in {records} records ({size} bytes)"
    advice = [f"{LEAST_TOKENS} tokens are needed, and a useful model takes some 100 kB", too_short(shards, modality)]
    return DataError(what, fix="; ".join(filter(None, advice)))


@dataclass(frozen=True)
class Sample:
    shards: Shards
    share: float
    """Share of the corpus that was sampled, by bytes."""
    seconds: float
    """Seconds that preparing all of the corpus would take, about."""


def sample(source: Source, modality: Modality, folder: Path, most: int) -> Sample:
    """Fits the modality on an even sample of some `most` bytes, and tokenises that alone into `folder`."""
    begun = time.monotonic()
    counted = _sampled(source, modality, unwatched, most)
    records = counted.kept
    read_in = time.monotonic() - begun
    if len(records) < STRETCHES:
        held = sum(map(modality.size, records))
        records = list(_stretched(records, modality, held))[:: max(round(held / most), 1)]
    modality.fit(records, counted.size)
    fitted_in = time.monotonic() - begun - read_in
    writer = Writer(folder, modality.columns)
    _tokenise(records, source, modality, writer, unwatched)
    writer.close()
    shards = Shards(folder)
    share = min(float(shards.sizes.sum()) / max(counted.size, 1), 1.0)
    if shards.lengths.sum() < LEAST_TOKENS * share:
        raise _too_small(shards, modality, len(records), counted.size, share)
    cut_in = time.monotonic() - begun - read_in - fitted_in
    return Sample(shards, share, 2 * read_in + fitted_in + cut_in / share)


def fingerprint(shards: Shards) -> str:
    """What the data is: equal for equal records in equal order, cut alike."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(shards.keys.tobytes())
    digest.update(shards.lengths.tobytes())
    return digest.hexdigest()


def _spooled(source: Source, folder: Path) -> Source:
    """Standard input and pipes can be read once only: they go to disk first."""
    streams = [name for path in source.paths if path != VALUES and (name := once(path))]
    if not streams:
        return source
    if not source.value_type.spelled_out:
        fix = f"name a folder of {source.value_type.name}"
        raise DataError("holds one value, too little to train on", where=streams[0], fix=fix)
    spool = folder / "stdin.jsonl"
    with open(spool, "w", encoding="utf-8") as file:
        for record in read(source):
            cell = source.value_type.display.cell(record.value)
            file.write(json.dumps({"value": cell, "group": record.group}) + "\n")
    return replace(source, paths=(str(spool),), field="value", group="group", grain=None, layout=AS_FOUND)


@dataclass(frozen=True)
class _Counted:
    """What one pass over a corpus tells."""

    records: int
    size: int
    """Bytes of user data in the corpus."""
    few: bool
    """Whether there are few groups of records in the corpus."""
    kept: list[Record]
    """Even sample of the records, which depends on content alone; of large records it has a part, so that many are in it."""


def _sampled(source: Source, modality: Modality, watch: Watcher, most: int) -> _Counted:
    """Counts records and bytes, and keeps records whose hash is low, of some `most` bytes in all."""
    threshold, kept, held, size, count = 1 << 64, [], 0, 0, 0
    groups: set[str] = set()
    for record in read(source):
        own, n = modality.size(record), _held(record, modality)
        modality.observe(record)
        count, size = count + 1, size + own
        if len(groups) < STRETCHES:
            groups.add(record.group or record.id)
        if record.key < threshold:
            kept.append((record.key, n, record))
            held += n
            while held > most and len(kept) > 1:
                if len(kept) <= STRETCHES and any(item[1] > most // STRETCHES for item in kept):
                    kept = [(key, *_part(record, modality, most // STRETCHES)) for key, _, record in kept]
                if sum(item[1] for item in kept) > most:
                    threshold //= 2
                    kept = [item for item in kept if item[0] < threshold] or kept[:1]
                held = sum(item[1] for item in kept)
        if size // CHUNK_BYTES > (size - own) // CHUNK_BYTES:
            watch(Progress("reading", size=size))
    return _Counted(count, size, len(groups) < STRETCHES, [record for _, _, record in kept])


def _part(record: Record, modality: Modality, size: int) -> tuple[int, Record]:
    """With its size in memory."""
    part = replace(record, value=modality.value_type.excerpt(modality.reduced(record.value), size))
    return _held(part, modality), part


def _held(record: Record, modality: Modality) -> int:
    """Bytes of memory that it takes, or will when it is read."""
    return max(modality.size(record), modality.value_type.memory(record.value))


def _stretched(records: Iterable[Record], modality: Modality, size: int) -> Iterator[Record]:
    """A few large records are cut into stretches, or there would be nothing of the right size to hold out."""
    for record in records:
        parts = list(modality.value_type.stretches(record.value, max(size // STRETCHES, 200)))
        for value, place in parts:
            yield record if len(parts) == 1 else Record(value, record.source.part(place))


def _tokenise(records: Iterable[Record], source: Source, modality: Modality, writer: Writer, watch: Watcher) -> None:
    """Reads, hashes and groups on one thread while the tokeniser works on this one."""
    done = 0
    try:
        for chunk in prefetch(_chunks(records, modality)):
            for item, cut in _cut(chunk, source, modality):
                key = item.record.key
                writer.add(cut.columns, cut.shape, key=key, fold=item.fold, group=item.group, size=item.size)
                done += item.size
            watch(Progress("tokenising", size=done))
    except BaseException:
        writer.discard()
        raise


def _cut(chunk: list[_Item], source: Source, modality: Modality) -> Iterator[tuple[_Item, TokenColumns]]:
    """The items with their tokens, but for those that the modality refuses, where those are to be skipped."""
    try:
        yield from zip(chunk, modality.tokenise([item.record for item in chunk]), strict=True)
    except DataError as error:
        if source.on_bad == "stop":
            raise
        if len(chunk) > 1:
            for item in chunk:
                yield from _cut([item], source, modality)
        else:
            source.on_skipped(Notice(error.message))


def _chunks(records: Iterable[Record], modality: Modality) -> Iterator[list[_Item]]:
    chunk: list[_Item] = []
    size = 0
    for record in records:
        group = hashed(record.group.encode()) if record.group else record.key
        fold = fold_key(record, modality.value_type.fold(record.value))
        chunk.append(_Item(record, modality.size(record), fold, group))
        size += _held(record, modality)
        if size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
