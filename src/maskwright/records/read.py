"""A path, or many, to a stream of records.

In: a file, a folder, standard input ("-"), values that Python holds. Out: `Record`s of one form (texts, pictures) in a
fixed order (folders are walked by name), one at a time, so that a corpus may be larger than memory.

A `.txt` file or standard input gives a record a non-empty line; a text file found in a folder, `.md` and any other
UTF-8 file (source code) give a record a file; rows of tables stay rows. Knows nothing of tokens or modalities.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

from maskwright.errors import DataError
from maskwright.records import tables, utf8, walk
from maskwright.records.fields import NoColumn, Picker, content
from maskwright.records.forms import TEXTS, Form
from maskwright.records.notices import NAMED
from maskwright.system import resources
from maskwright.system.prefetch import parallel_map

FIRST_ROWS = 100
"""of a table, by which its text column is told"""
MOST_THREADS = 8
"""that decode at once"""
GROUP_BYTES, MOST_GROUPED = 100_000, 64
"""of encoded values, and how many, that one thread takes on"""
VALUES = "<values>"
"""stands for a path where Python gives the values themselves"""
ONCE = {"-": "standard input", VALUES: "values given in Python"}
"""what can't be read again another time, and what a person calls it"""
_T = TypeVar("_T")


@dataclass(frozen=True)
class Record:
    """One document, row or picture."""

    value: Any
    """what the field held: a string, or a `Picture`"""
    source: str
    """file, and line or row: what an error or a result names"""
    group: str = ""
    """records of one group stay on one side of the held-out split; empty: the record is a group of its own"""

    @property
    def id(self) -> str:
        """Hash of the content: the same record has the same id in any file."""
        return f"{self.key:016x}"

    @cached_property
    def key(self) -> int:
        return hashed(content(self.value))

    @property
    def fold(self) -> int:
        """Equal where one record repeats another: white space of texts folded."""
        return hashed(" ".join(self.value.split()).encode()) if isinstance(self.value, str) else self.key


def hashed(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def _silent(words: str) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Source:
    """What to read and how; reading it twice gives the same records."""

    paths: tuple[str, ...]
    values: Sequence[Any] = ()
    """what `VALUES` among the paths stands for"""
    form: Form = TEXTS
    field: str | None = None
    group: str | None = None
    grain: str | None = None
    """line, paragraph or file: overrides what the format suggests"""
    on_bad: str = "stop"
    """stop at the first record that can't be read, or skip it and tell `report`"""
    report: Callable[[str], None] | None = None
    note: Callable[[str], None] = _silent
    """hears what should be known of a record that was read"""


def read(source: Source) -> Iterator[Record]:
    """Every record of a source. Raises DataError where one can't be read and `on_bad` is "stop"."""
    if source.on_bad not in ("stop", "skip"):
        raise DataError(f"--on-bad {source.on_bad}: choose stop or skip")
    found = False
    for record in _all(source, _Bad(source)):
        found = True
        yield record
    if not found:
        names = ", ".join(ONCE.get(path, path) for path in source.paths)
        what = f"no {source.form.name} there that can be read"
        raise DataError(f"{names}: no records: {what}; give a file or folder that has some")


def stamp(source: Source) -> list[list[Any]]:
    """(path, size, time of change) of every file: when equal, the records need not be read again to know they are."""
    out: list[list[Any]] = []
    for path in source.paths:
        if path not in ONCE and os.path.exists(path):
            for name in filter(source.form.takes, walk.files(Path(path))) if os.path.isdir(path) else [Path(path)]:
                state = os.stat(name, follow_symlinks=name.exists())
                out.append([str(name), state.st_size, state.st_mtime_ns])
    return out


def _all(source: Source, bad: _Bad) -> Iterator[Record]:
    for files, some in itertools.groupby(source.paths, _is_file):
        if files:
            yield from _files(map(Path, some), source, bad, in_folder=False)
        else:
            for path in some:
                yield from _path(path, source, bad)


def _is_file(path: str) -> bool:
    return path not in ONCE and os.path.isfile(path)


def _path(path: str, source: Source, bad: _Bad) -> Iterator[Record]:
    """What is no file: a folder, or what Python or another process gives."""
    if path == "-":
        _no_columns(ONCE[path], source)
        yield from _pieces(ONCE[path], sys.stdin.buffer, source, False, bad)
        return
    if path == VALUES:
        _no_columns(ONCE[path], source)
        if source.grain:
            raise DataError(f"{ONCE[path]}: --record {source.grain} is for files; of values, each is a record")
        yield from _values(source, bad)
        return
    where = Path(path)
    if not where.exists():
        raise DataError(f"{path}: no such file or folder")
    if not where.is_dir():  # a pipe that has a name
        yield from _file(where, source, bad, in_folder=False)
    elif tables.is_saved_dataset(where):
        yield from _rows(path, tables.saved_dataset(where, bad), source, bad)
    else:
        if (source.field or source.group) and not has_columns(replace(source, paths=(path,))):
            _no_columns(path, source)
        others: Counter[str] = Counter()
        yield from _files(_taken(where, source, others), source, bad, in_folder=True)
        if others:
            kinds = ", ".join(ending or "no ending" for ending, _ in others.most_common(NAMED))
            source.note(f"{path}: {others.total():,} other files are left out ({kinds})")


def _taken(folder: Path, source: Source, others: Counter[str]) -> Iterator[Path]:
    """The files that are the source's kind of data; the endings of the others are counted."""
    for path in walk.files(folder):
        if source.form.takes(path):
            yield path
        else:
            others[path.suffix.lower()] += 1


def has_columns(source: Source) -> bool:
    """Whether there is a table in it, of which a column can be named."""
    for path in (Path(path) for path in source.paths if path not in ONCE):
        inside = filter(source.form.takes, walk.files(path)) if path.is_dir() else [path]
        if (path.is_dir() and tables.is_saved_dataset(path)) or any(map(tables.is_table, inside)):
            return True
    return False


def _files(files: Iterable[Path], source: Source, bad: _Bad, in_folder: bool) -> Iterator[Record]:
    for table, some in itertools.groupby(files, tables.is_table):
        if table:
            for name in some:
                yield from _file(name, source, bad, in_folder)
        else:
            yield from _each(some, partial(_file, in_folder=in_folder), _length, source, bad)


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # whoever opens it will say so
        return 0


def _each(
    items: Iterable[_T],
    work: Callable[[_T, Source, _Bad], Iterator[Record]],
    length: Callable[[_T], int],
    source: Source,
    bad: _Bad,
) -> Iterator[Record]:
    """The records in each item, of some `length` in bytes, in order; what has to be decoded by several threads."""
    if not source.form.encoded:
        for item in items:
            yield from work(item, source, bad)
        return

    def together(group: list[_T]) -> list[Record | tuple[Callable[[str], None], str]]:
        """With what is to be said between them, and to whom."""
        out: list[Record | tuple[Callable[[str], None], str]] = []
        own = replace(
            source, on_bad="skip", report=lambda words: out.append((bad, words)),
            note=lambda words: out.append((source.note, words)),
        )  # fmt: skip
        for item in group:
            for record in work(item, own, _Bad(own)):
                out.append(record)  # noqa: PERF402 (the others come between)
        return out

    threads = max(int(min(resources.cores(), MOST_THREADS, resources.memory() / 4 / source.form.encoded)), 1)
    for found in parallel_map(together, _grouped(items, length), threads):
        for one in found:
            if isinstance(one, Record):
                yield one
            else:
                one[0](one[1])


def _grouped(items: Iterable[_T], length: Callable[[_T], int]) -> Iterator[list[_T]]:
    """As many as are worth a thread's while."""
    group: list[_T] = []
    size = 0
    for item in items:
        group.append(item)
        size += length(item)
        if size >= GROUP_BYTES or len(group) == MOST_GROUPED:
            yield group
            group, size = [], 0
    if group:
        yield group


def _values(source: Source, bad: _Bad) -> Iterator[Record]:
    for number, value in enumerate(source.values):
        name = f"data[{number}]"
        try:
            yield Record(source.form.of_python(value, name, source.note), name)
        except DataError as error:
            bad(str(error))


def _file(path: Path, source: Source, bad: _Bad, in_folder: bool) -> Iterator[Record]:
    kind, name = tables.kind_of(path), os.fsencode(path).decode("utf-8", "backslashreplace")
    if source.grain and tables.is_table(path) and not in_folder:
        raise DataError(f"{name}: --record {source.grain} is for plain text; of a table, every row is a record")
    if kind == "jsonl":
        yield from _rows(name, tables.jsonl(path, bad), source, bad, in_folder)
    elif kind in ("csv", "tsv"):
        yield from _rows(name, tables.delimited(path, "," if kind == "csv" else "\t", bad), source, bad, in_folder)
    elif kind == "parquet":
        yield from _rows(name, tables.parquet(path, bad), source, bad, in_folder)
    elif kind == "arrow":
        yield from _rows(name, tables.arrow(path, bad), source, bad, in_folder)
    else:
        if not in_folder:
            _no_columns(name, source)
        with bad.guarding(name), tables.opened(path) as stream:
            yield from _pieces(name, stream, source, kind != "txt" or in_folder, bad)


def _no_columns(name: str, source: Source) -> None:
    for option, value in (("--field", source.field), ("--group", source.group)):
        if value:
            raise DataError(f"{name}: {option} {value} names a column, but here is no table; give one")


def _pieces(name: str, stream: Any, source: Source, whole: bool, bad: _Bad) -> Iterator[Record]:
    for value, at in source.form.pieces(name, stream, source.grain, whole, bad, source.note):
        yield Record(value, at)


def _rows(name: str, rows: tables.Rows, source: Source, bad: _Bad, in_folder: bool = False) -> Iterator[Record]:
    first = list(itertools.islice(rows, FIRST_ROWS))
    try:
        rows_ = [row for row, _ in first]
        picker = Picker(name, rows_, source.field, source.group, source.form) if first else None
    except NoColumn as error:
        if in_folder:  # a list of what the other files are, say
            source.note(f"{error.what}; left out")
        else:
            bad(str(error))
        return
    except DataError as error:
        bad(str(error))
        return

    def picked(item: tuple[dict[str, Any], str], source: Source, bad: _Bad) -> Iterator[Record]:
        assert picker is not None
        row, where = item[0], f"{name}:{item[1]}"
        values, group = picker.pick(row, where, source.note, bad)
        for value, at in values:
            if value is not None:
                yield Record(value, at, group)

    yield from _each(itertools.chain(first, rows), picked, _encoded, source, bad)


def _encoded(item: tuple[dict[str, Any], str]) -> int:
    """Bytes that are to be decoded in a row."""
    cells = (cell.get("bytes") if isinstance(cell, dict) else cell for cell in item[0].values())
    return sum(len(cell) for cell in cells if isinstance(cell, bytes))


class _Bad:
    """What happens at something that can't be read: stop, or skip and say so."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def __call__(self, message: str) -> None:
        if self.source.on_bad == "stop":
            raise DataError(f"{message}{', or' if '; ' in message else ';'} --on-bad skip")
        if self.source.report:
            self.source.report(message)

    def guarding(self, name: str) -> utf8.Guard:
        return utf8.Guard(name, self)


def records_of(values: Any, name: str = "input", form: Form = TEXTS) -> list[Record]:
    """What Python holds (one value or record, or many) as records, in order."""
    return list(each_of(values, name, form))


def each_of(values: Any, name: str = "input", form: Form = TEXTS) -> Iterator[Record]:
    """The same, each made when its turn comes."""
    if isinstance(values, Record) or form.alone(values) or not isinstance(values, Iterable):
        values = [values]
    for number, value in enumerate(values):
        record = value if isinstance(value, Record) else Record(value, f"{name}[{number}]")
        yield replace(record, value=form.of_python(record.value, record.source))
