"""A path, or many, to a stream of records.

In: a file, a folder, standard input ("-"), values that Python holds. Out: `Record`s of one kind of value in a fixed order
(folders are walked by name), one at a time, so that a corpus may be larger than memory.

A `.txt` file, a pipe or standard input gives a record a non-empty line; a text file found in a folder, `.md` and any other
text file (source code) give a record a file; rows of tables stay rows. Knows nothing of tokens, modalities, or what a value
is: the source's `ValueType` is asked.
"""

from __future__ import annotations

import itertools
import os
import stat
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from maskwright.errors import DataError, option
from maskwright.records import python_values, tables, walk
from maskwright.records.columnar import SavedDataset, is_saved_dataset
from maskwright.records.compressed import opened
from maskwright.records.fields import FieldPicker, NoColumn
from maskwright.records.json_rows import looks_like_rows
from maskwright.records.notices import NAMED, Listener, Notice, unheard, warn
from maskwright.records.record import Origin, Record
from maskwright.records.table import AS_FOUND, Layout, Row, Table, path_name
from maskwright.records.text_stream import HEAD, Guard, OnBad
from maskwright.records.value_type import ValueType
from maskwright.system import resources
from maskwright.system.prefetch import parallel_map

MOST_THREADS = 8
"""Number of threads that decode at once, at most."""
GROUP_BYTES, MOST_GROUPED = 100_000, 64
"""Size of the group that one decoding thread takes on at a time: encoded bytes, and number of files or rows."""
VALUES = "<values>"
"""Placeholder for a path where Python gives the values themselves."""
_ONCE = {"-": "standard input", "/dev/stdin": "standard input", VALUES: "values given in Python"}
"""Placeholders for sources that can't be read again another time, each with its name in messages."""
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Source:
    """What to read and how; reading it twice gives the same records."""

    paths: tuple[str, ...]
    value_type: ValueType
    values: Sequence[Any] | Table = ()
    """Values that Python gives, for which `VALUES` stands among the paths; empty where all paths are files or folders."""
    field: str | None = None
    """Column of a table that holds the records, or a path into it; None: found by name or content."""
    group: str | None = None
    """Column of a table whose equal values belong together; None: no such column."""
    grain: str | None = None
    """What one record of plain text is: line, paragraph or file; None: what the format suggests."""
    layout: Layout = AS_FOUND
    """Layout of tables of text, and encoding of text, as far as the user said it."""
    keep: Collection[str] | None = ()
    """Other columns of a table that records carry along; None: all that hold single values."""
    on_bad: str = "stop"
    """What happens at a record that can't be read: stop, or skip it and tell `on_skipped`."""
    on_skipped: Listener = unheard
    on_notice: Listener = unheard
    """Callback for notices about records that were read."""


def read(source: Source) -> Iterator[Record]:
    """Every record of a source. Raises DataError where one can't be read and `on_bad` is "stop", and where there is none."""
    if source.on_bad not in ("stop", "skip"):
        raise DataError("choose stop or skip", where=option("on_bad", source.on_bad), option="on_bad")
    found = False
    for record in _all(source, _stop_or_skip(source)):
        found = True
        yield record
    if not found:
        names = ", ".join(once(path) or path for path in source.paths)
        what = f"no records: no {source.value_type.name} there that can be read"
        raise DataError(what, where=names, fix="give a file or folder that has some")


def once(path: str) -> str:
    """What a person calls a path whose content can't be read again: standard input, a pipe. "" for any other.

    >>> once("-")
    'standard input'
    """
    if path in _ONCE:
        return _ONCE[path]
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return ""
    return "" if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else path


def stamp(source: Source) -> list[list[Any]]:
    """(path, size, time of change) of every file: when equal, the records need not be read again to know they are."""
    out: list[list[Any]] = []
    for path in source.paths:
        if not once(path) and os.path.exists(path):
            for name in filter(source.value_type.takes, walk.files(Path(path))) if os.path.isdir(path) else [Path(path)]:
                state = os.stat(name, follow_symlinks=name.exists())
                out.append([str(name), state.st_size, state.st_mtime_ns])
    return out


def has_columns(source: Source) -> bool:
    """Whether there is a table in it, of which a column can be named."""
    if isinstance(source.values, Table):
        return True
    for path in (Path(path) for path in source.paths if not once(path)):
        inside = filter(source.value_type.takes, walk.files(path)) if path.is_dir() else [path]
        if (path.is_dir() and is_saved_dataset(path)) or any(map(tables.is_table, inside)) or tables.kind_of(path) == "json":
            return True
    return False


def columns_to_keep(source: Source) -> dict[str, pa.DataType]:
    """The columns of a source's tables that records can carry along, and Arrow's types of them, in order. Raises DataError
    where one was asked for that isn't there."""
    found: dict[str, pa.DataType] = {}
    names: dict[str, None] = {}
    for path in (Path(path) for path in source.paths if not once(path)):
        if path.is_dir() and is_saved_dataset(path):
            there: list[Table | None] = [SavedDataset(path)]
        else:
            files = filter(source.value_type.takes, walk.files(path)) if path.is_dir() else [path]
            there = [
                tables.table_of(file, source.layout, source.field, path.is_dir()) for file in files if tables.is_table(file)
            ]
        for table in filter(None, there):
            plain = table.plain_columns()
            names |= dict.fromkeys([*table.columns(), *plain])
            for name, kind in plain.items():
                found[name] = kind if found.get(name, kind) == kind else pa.string()
    out = [name for name in names if name not in found]
    if source.keep is None and out:
        more = f" and {len(out) - NAMED} more" if len(out) > NAMED else ""
        what = f"not kept beside the answer, since they hold more than single values: {', '.join(out[:NAMED])}{more}"
        source.on_notice(Notice(what, ", ".join(source.paths)))
    for name in source.keep or ():
        if name not in found:
            what = "can't be kept" if name in names else "is no column"
            raise DataError(
                f"{name!r} {what}", where=option("keep"), fix=f"there are: {', '.join(found) or 'none'}", option="keep"
            )
    return {name: kind for name, kind in found.items() if source.keep is None or name in source.keep}


def records_of(given: Any, value_type: ValueType, name: str = "input", field: str | None = None) -> Iterator[Record]:
    """What Python holds (one value or record, or many; dictionaries; a table, of which `field` names the column; a path of a
    file or folder) as records, in order, each made when its turn comes. Raises DataError for what is no value; `Record`s are
    taken as they are."""
    given = python_values.scalar(given)
    paths = _paths_in(given, value_type)
    if paths:
        yield from read(Source(paths=paths, value_type=value_type, field=field, on_notice=warn))
        return
    table, values = None if value_type.is_one(given) else python_values.table_in(given, name), iter([given])
    if table is None and not is_single(given, value_type):
        table, values = python_values.rows_or_values(given, name)
    if table is not None:
        yield from _held(table, value_type, field)
        return
    if field:
        raise DataError(f"{option('field', field)} names a column, but here is no table", where=name, option="field")
    for number, value in enumerate(values):
        if isinstance(value, Record):
            yield value
        else:
            where = f"{name}[{number}]"
            yield Record(value_type.of_python(value, where, warn), Origin(where))


def is_single(given: Any, value_type: ValueType) -> bool:
    """Whether what Python gives is one record, which has one answer, rather than many."""
    given = python_values.scalar(given)
    if isinstance(given, Mapping):
        return not python_values.is_columns(given)
    if isinstance(given, Record) or _paths_in(given, value_type):
        return isinstance(given, Record)
    return value_type.is_one(given) or not (isinstance(given, Iterable) or python_values.has_columns(given))


def _paths_in(given: Any, value_type: ValueType) -> tuple[str, ...]:
    """The files that a path names, where it isn't the path of one value."""
    if not isinstance(given, os.PathLike):
        return ()
    paths = tuple(python_values.expanded(os.fspath(given)))
    lone = (
        len(paths) == 1
        and not value_type.spelled_out
        and not os.path.isdir(paths[0])
        and not tables.is_table(Path(paths[0]))
    )
    return () if lone else paths


def _held(table: Table, value_type: ValueType, field: str | None) -> Iterator[Record]:
    """The records of a table that Python holds, a row each at least. Raises DataError for the first that has none."""

    def stop(error: DataError) -> None:
        raise error

    picker = FieldPicker.of(table, field, None, value_type)
    for row, place, number in table.rows(picker.wanted, stop) if picker else ():
        values, group = picker.pick(row, Origin(table.name, place, number), warn, stop) if picker else ([], "")
        for value, origin in values:
            if value is None:
                raise python_values.blank(table, field or "", number)
            yield Record(value, origin, group)


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
    return not once(path) and os.path.isfile(path)


def _path(path: str, source: Source, on_bad: OnBad) -> Iterator[Record]:
    """What is no file: a folder, or what Python or another process gives."""
    name, where = once(path), Path(path)
    if path == VALUES and isinstance(source.values, Table):
        yield from _rows(source.values, source, on_bad)
    elif path == VALUES:
        _no_columns(name, source)
        if source.grain:
            what = f"{option('record', source.grain)} is for files"
            raise DataError(what, where=name, fix="of values, each is a record", option="record")
        yield from _values(source, on_bad)
    elif name:
        _no_columns(name, source)
        with nullcontext(sys.stdin.buffer) if path in _ONCE else open(path, "rb") as stream:
            yield from _pieces(name, stream, source, False, on_bad)
    elif not where.exists():
        raise DataError("no such file or folder", where=path)
    elif is_saved_dataset(where):
        yield from _rows(SavedDataset(where), source, on_bad)
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
    assert not isinstance(source.values, Table)
    for number, value in enumerate(source.values):
        name = f"data[{number}]"
        if isinstance(value, Record):
            yield value
            continue
        try:
            yield Record(source.value_type.of_python(value, name, source.on_notice), Origin(name))
        except DataError as error:
            on_bad(error)


def _file(path: Path, source: Source, on_bad: OnBad, in_folder: bool) -> Iterator[Record]:
    name = path_name(path)
    table = tables.table_of(path, source.layout, source.field, in_folder)
    if source.grain and table and not in_folder:
        what = f"{option('record', source.grain)} is for plain text"
        raise DataError(what, where=name, fix="of a table, every row is a record", option="record")
    if table is not None:
        yield from _rows(table, source, on_bad, in_folder)
        return
    if not in_folder:
        _no_columns(name, source)
    with Guard(name, on_bad), opened(path) as stream:
        if not in_folder:
            _tell_of_markup(name, stream.peek(HEAD), source)
        yield from _pieces(name, stream, source, tables.kind_of(path) != "txt" or in_folder, on_bad)


def _tell_of_markup(name: str, head: bytes, source: Source) -> None:
    """Says where a file looks like something else than the text that it is read as."""
    first = head.lstrip().decode(errors="replace").splitlines()[:1]
    if first and looks_like_rows(first[0]):
        source.on_notice(
            Notice("looks like JSON Lines, and is read as text, braces and all; call it .jsonl to read rows", name)
        )
    elif first and first[0].lower().startswith(("<!doctype", "<?xml", "<html")):
        source.on_notice(Notice("looks like markup, and is read as it stands, tags and all", name))


def _no_columns(name: str, source: Source) -> None:
    for parameter, value in (("field", source.field), ("group", source.group)):
        if value:
            what = f"{option(parameter, value)} names a column, but here is no table"
            raise DataError(what, where=name, fix="give one", option=parameter)


def _pieces(name: str, stream: Any, source: Source, whole: bool, on_bad: OnBad) -> Iterator[Record]:
    kind, encoding = source.value_type, source.layout.encoding
    for value, origin in kind.of_stream(name, stream, source.grain, whole, on_bad, source.on_notice, encoding):
        yield Record(value, origin)


def _rows(table: Table, source: Source, on_bad: OnBad, in_folder: bool = False) -> Iterator[Record]:
    try:
        picker = FieldPicker.of(table, source.field, source.group, source.value_type)
    except NoColumn as error:
        if in_folder:  # a list of what the other files are, say
            source.on_notice(Notice(f"{error.what}; left out", error.where))
            return
        raise
    if picker is None:  # there is no row that can be read: whatever is wrong is told
        for _ in table.rows(None, on_bad):
            pass
        return
    if table.words:
        source.on_notice(Notice(table.words, table.name))
    plain = table.plain_columns() if source.keep is None or source.keep else {}
    kept = [name for name in plain if source.keep is None or name in source.keep]

    def picked(item: tuple[Row, str, str], source: Source, on_bad: OnBad) -> Iterator[Record]:
        row, place, number = item
        values, group = picker.pick(row, Origin(table.name, place, number), source.on_notice, on_bad)
        for value, origin in values:
            if value is not None:
                yield Record(value, origin, group, {name: row.get(name) for name in kept} if kept else {})

    yield from _each(table.rows({*picker.wanted, *kept}, on_bad), picked, _encoded, source, on_bad)


def _encoded(item: tuple[Row, str, str]) -> int:
    """Bytes that are to be decoded in a row."""
    cells = (cell.get("bytes") if isinstance(cell, dict) else cell for cell in item[0].values())
    return sum(len(cell) for cell in cells if isinstance(cell, bytes))
