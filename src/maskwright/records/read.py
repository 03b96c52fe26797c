"""A path, or many, to a stream of records.

In: a file, a folder, standard input ("-"), values that Python holds. Out: `Record`s of one kind of value in a fixed order
(folders are walked by name), one at a time, so that a corpus may be larger than memory.

A `.txt` file or standard input gives a record a non-empty line; a text file found in a folder, `.md` and any other
UTF-8 file (source code) give a record a file; rows of tables stay rows. Knows nothing of tokens, modalities, or what a value
is: the source's `ValueType` is asked.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from maskwright.errors import DataError, option
from maskwright.records import tables, walk
from maskwright.records.fields import FieldPicker, NoColumn
from maskwright.records.notices import NAMED, Listener, Notice, unheard, warn
from maskwright.records.record import Origin, Record
from maskwright.records.utf8 import Guard, OnBad
from maskwright.records.value_type import ValueType
from maskwright.system import resources
from maskwright.system.prefetch import parallel_map

FIRST_ROWS = 100
"""rows of a table, by which the column is found that nobody named"""
MOST_THREADS = 8
"""threads that decode at once, at most"""
GROUP_BYTES, MOST_GROUPED = 100_000, 64
"""encoded bytes, and values, that one thread takes on at a time"""
VALUES = "<values>"
"""stands for a path where Python gives the values themselves"""
ONCE = {"-": "standard input", VALUES: "values given in Python"}
"""what can't be read again another time, and what a person calls it"""
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Source:
    """What to read and how; reading it twice gives the same records."""

    paths: tuple[str, ...]
    value_type: ValueType
    values: Sequence[Any] = ()
    """what `VALUES` among the paths stands for"""
    field: str | None = None
    """a table's column, or a path into it"""
    group: str | None = None
    """a table's column whose equal values belong together"""
    grain: str | None = None
    """line, paragraph or file: overrides what the format suggests"""
    on_bad: str = "stop"
    """stop at the first record that can't be read, or skip it and tell `on_skipped`"""
    on_skipped: Listener = unheard
    on_notice: Listener = unheard
    """hears what should be known of a record that was read"""


def read(source: Source) -> Iterator[Record]:
    """Every record of a source. Raises DataError where one can't be read and `on_bad` is "stop", and where there is none."""
    if source.on_bad not in ("stop", "skip"):
        raise DataError("choose stop or skip", where=option("on_bad", source.on_bad), option="on_bad")
    found = False
    for record in _all(source, _stop_or_skip(source)):
        found = True
        yield record
    if not found:
        names = ", ".join(ONCE.get(path, path) for path in source.paths)
        what = f"no records: no {source.value_type.name} there that can be read"
        raise DataError(what, where=names, fix="give a file or folder that has some")


def stamp(source: Source) -> list[list[Any]]:
    """(path, size, time of change) of every file: when equal, the records need not be read again to know they are."""
    out: list[list[Any]] = []
    for path in source.paths:
        if path not in ONCE and os.path.exists(path):
            for name in filter(source.value_type.takes, walk.files(Path(path))) if os.path.isdir(path) else [Path(path)]:
                state = os.stat(name, follow_symlinks=name.exists())
                out.append([str(name), state.st_size, state.st_mtime_ns])
    return out


def has_columns(source: Source) -> bool:
    """Whether there is a table in it, of which a column can be named."""
    for path in (Path(path) for path in source.paths if path not in ONCE):
        inside = filter(source.value_type.takes, walk.files(path)) if path.is_dir() else [path]
        if (path.is_dir() and tables.is_saved_dataset(path)) or any(map(tables.is_table, inside)):
            return True
    return False


def records_of(given: Any, value_type: ValueType, name: str = "input") -> Iterator[Record]:
    """What Python holds (one value or record, or many) as records, in order, each made when its turn comes. Raises
    DataError for what is no value; `Record`s are taken as they are."""
    if isinstance(given, Record) or value_type.is_one(given) or not isinstance(given, Iterable):
        given = [given]
    for number, value in enumerate(given):
        if isinstance(value, Record):
            yield value
        else:
            where = f"{name}[{number}]"
            yield Record(value_type.of_python(value, where, warn), Origin(where))


def _stop_or_skip(source: Source) -> OnBad:
    """What happens at something that can't be read."""

    def stop(error: DataError) -> None:
        raise error.or_else(option("on_bad", "skip"))

    return stop if source.on_bad == "stop" else lambda error: source.on_skipped(Notice(error.message))


def _all(source: Source, on_bad: OnBad) -> Iterator[Record]:
    for files, some in itertools.groupby(source.paths, _is_file):
        if files:
            yield from _files(map(Path, some), source, on_bad, in_folder=False)
        else:
            for path in some:
                yield from _path(path, source, on_bad)


def _is_file(path: str) -> bool:
    return path not in ONCE and os.path.isfile(path)


def _path(path: str, source: Source, on_bad: OnBad) -> Iterator[Record]:
    """What is no file: a folder, or what Python or another process gives."""
    if path == "-":
        _no_columns(ONCE[path], source)
        yield from _pieces(ONCE[path], sys.stdin.buffer, source, False, on_bad)
        return
    if path == VALUES:
        _no_columns(ONCE[path], source)
        if source.grain:
            what = f"{option('record', source.grain)} is for files"
            raise DataError(what, where=ONCE[path], fix="of values, each is a record", option="record")
        yield from _values(source, on_bad)
        return
    where = Path(path)
    if not where.exists():
        raise DataError("no such file or folder", where=path)
    if not where.is_dir():  # a pipe that has a name
        yield from _file(where, source, on_bad, in_folder=False)
    elif tables.is_saved_dataset(where):
        yield from _rows(path, tables.saved_dataset(where, on_bad), source, on_bad)
    else:
        if (source.field or source.group) and not has_columns(replace(source, paths=(path,))):
            _no_columns(path, source)
        others: Counter[str] = Counter()
        yield from _files(_taken(where, source, others), source, on_bad, in_folder=True)
        if others:
            kinds = ", ".join(ending or "no ending" for ending, _ in others.most_common(NAMED))
            source.on_notice(Notice(f"{others.total():,} other files are left out ({kinds})", path))


def _taken(folder: Path, source: Source, others: Counter[str]) -> Iterator[Path]:
    """The files that are the source's kind of data; the endings of the others are counted."""
    for path in walk.files(folder):
        if source.value_type.takes(path):
            yield path
        else:
            others[path.suffix.lower()] += 1


def _files(files: Iterable[Path], source: Source, on_bad: OnBad, in_folder: bool) -> Iterator[Record]:
    for table, some in itertools.groupby(files, tables.is_table):
        if table:
            for name in some:
                yield from _file(name, source, on_bad, in_folder)
        else:
            yield from _each(some, partial(_file, in_folder=in_folder), _length, source, on_bad)


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # whoever opens it will say so
        return 0


def _each(
    items: Iterable[_T],
    work: Callable[[_T, Source, OnBad], Iterator[Record]],
    length: Callable[[_T], int],
    source: Source,
    on_bad: OnBad,
) -> Iterator[Record]:
    """The records in each item, of some `length` in bytes, in order; what has to be decoded by several threads."""
    decoding = source.value_type.decoding_bytes
    if not decoding:
        for item in items:
            yield from work(item, source, on_bad)
        return

    def together(group: list[_T]) -> list[Record | Callable[[], None]]:
        """Records, and what is to be said between them."""
        out: list[Record | Callable[[], None]] = []
        own = replace(source, on_notice=lambda notice: out.append(lambda: source.on_notice(notice)))
        for item in group:
            for record in work(item, own, lambda error: out.append(lambda: on_bad(error))):
                out.append(record)  # noqa: PERF402 (the others come between)
        return out

    threads = max(int(min(resources.cores(), MOST_THREADS, resources.memory() / 4 / decoding)), 1)
    for found in parallel_map(together, _grouped(items, length), threads):
        for one in found:
            if isinstance(one, Record):
                yield one
            else:
                one()


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


def _values(source: Source, on_bad: OnBad) -> Iterator[Record]:
    for number, value in enumerate(source.values):
        name = f"data[{number}]"
        try:
            yield Record(source.value_type.of_python(value, name, source.on_notice), Origin(name))
        except DataError as error:
            on_bad(error)


def _file(path: Path, source: Source, on_bad: OnBad, in_folder: bool) -> Iterator[Record]:
    kind, name = tables.kind_of(path), os.fsencode(path).decode("utf-8", "backslashreplace")
    if source.grain and tables.is_table(path) and not in_folder:
        what = f"{option('record', source.grain)} is for plain text"
        raise DataError(what, where=name, fix="of a table, every row is a record", option="record")
    rows = tables.rows(path, kind, on_bad)
    if rows is not None:
        yield from _rows(name, rows, source, on_bad, in_folder)
    else:
        if not in_folder:
            _no_columns(name, source)
        with Guard(name, on_bad), tables.opened(path) as stream:
            yield from _pieces(name, stream, source, kind != "txt" or in_folder, on_bad)


def _no_columns(name: str, source: Source) -> None:
    for parameter, value in (("field", source.field), ("group", source.group)):
        if value:
            what = f"{option(parameter, value)} names a column, but here is no table"
            raise DataError(what, where=name, fix="give one", option=parameter)


def _pieces(name: str, stream: Any, source: Source, whole: bool, on_bad: OnBad) -> Iterator[Record]:
    for value, origin in source.value_type.of_stream(name, stream, source.grain, whole, on_bad, source.on_notice):
        yield Record(value, origin)


def _rows(name: str, rows: tables.Rows, source: Source, on_bad: OnBad, in_folder: bool = False) -> Iterator[Record]:
    first = list(itertools.islice(rows, FIRST_ROWS))
    if not first:
        return
    try:
        picker = FieldPicker(name, [row for row, *_ in first], source.field, source.group, source.value_type)
    except NoColumn as error:
        if in_folder:  # a list of what the other files are, say
            source.on_notice(Notice(f"{error.what}; left out", error.where))
        else:
            on_bad(error)
        return
    except DataError as error:
        on_bad(error)
        return

    def picked(item: tuple[dict[str, Any], str, str], source: Source, on_bad: OnBad) -> Iterator[Record]:
        row, place, number = item
        values, group = picker.pick(row, Origin(name, place, number), source.on_notice, on_bad)
        for value, origin in values:
            if value is not None:
                yield Record(value, origin, group)

    yield from _each(itertools.chain(first, rows), picked, _encoded, source, on_bad)


def _encoded(item: tuple[dict[str, Any], str, str]) -> int:
    """Bytes that are to be decoded in a row."""
    cells = (cell.get("bytes") if isinstance(cell, dict) else cell for cell in item[0].values())
    return sum(len(cell) for cell in cells if isinstance(cell, bytes))
