"""A verb over many records: read as they come, answered in groups, printed or written in order.

In: what the shell was given, and a `Verb`. Out: lines on stdout, or a file; what was skipped is named on stderr and counted.
Knows nothing of what a verb does.
"""

from __future__ import annotations

import base64
import heapq
import itertools
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskwright.cli.terminal import say
from maskwright.errors import DataError, QueryError, RunError, option
from maskwright.records.notices import Notice, Notices

if TYPE_CHECKING:
    from maskwright.cli.writers import Answered, OwnFiles, Sink
    from maskwright.model.model import Model
    from maskwright.records.record import Record
    from maskwright.records.table import Layout
    from maskwright.records.value_type import ValueType

Columns = Callable[["Record", Any], dict[str, Any]]
"""Turns a record and its answer into the columns of a table row."""
Group = list[tuple["Record", Any]]
"""A group of records, each with its answer."""
SORTED_GROUP = 1000
"""Number of sorted answers that are written together."""
PICTURES = (".png",)
"""File endings of the pictures to look at that `--show` writes, the usual one first."""


@dataclass(frozen=True)
class Given:
    """What the shell was told of reading and writing."""

    text: str | None
    """What to read: a file, a folder, "-" for standard input, or a value that is spelled out; None: standard input."""
    field: str | None
    record: str | None
    layout: Layout
    on_bad: str
    out: str | None
    as_json: bool
    keep: str | None = None
    """Columns of the input beside the answer's: all, none, or names with commas; None: all where a file is written."""
    sort: str | None = None
    """Column of the answer, or of the input, by which records come, the largest first; None: as they were read."""
    top: int | None = None
    """Number of records to keep, the first by `sort`, or by what the verb usually sorts by; None: all."""
    only_odd: bool = False
    """Whether only those are kept whose answer says that they are odd."""
    show: str | None = None
    """Path that pictures to look at are written to; None: none are written."""


@dataclass(frozen=True)
class Verb:
    """What is asked of every record."""

    answer: Callable[[Sequence[Record]], list[Any]]
    columns: Columns
    """Turns a record and its answer into the columns of a table row."""
    lines: Callable[[Record, Any, bool], list[str]]
    """Turns a record and its answer into lines for a person; the bool is True where the record was the only one, and spelled
    out."""
    schema: dict[str, str]
    """Names of the columns and their kinds, as `format.arrow_schema` knows them."""
    order: str | None = None
    """Column by which `top` chooses where no other is named; None: there is none."""
    matrix: str | None = None
    """Name of the column that a .npy file holds; None: answers can't be written as .npy."""
    values: Callable[[Any], list[Any]] | None = None
    """Returns the values in an answer that are of the record's own kind, which may be written to files of their own; None:
    there are none."""
    picture: Callable[[Record, Any], bytes] | None = None
    """Draws a record and its answer as a PNG to look at; None: nothing can be drawn."""


def bulk(model: Model, given: Given, verb: Verb) -> None:
    """Reads records, answers them in groups, and prints or writes what came, in order."""
    from maskwright.cli.format import kept_names
    from maskwright.cli.writers import Answered

    kind = model.modality.value_type
    _check_show(given, verb, kind)
    skipped = Notices(_refused if _is_one_file(given, kind) else lambda notice: say(f"skipped: {notice.message}"))
    noted = Notices(lambda notice: say(notice.message))
    records, alone, kept = _records(given, kind, skipped, noted)
    own, drawn = _own_files(verb, kind), _drawn_files(verb, kind)
    single = [Path(path).suffix.lower() for path, files in ((given.out, own), (given.show, drawn)) if path and files
              and Path(path).suffix.lower() in files.endings]  # fmt: skip
    if single:
        records = _only(records, kind, single[0])
    answers = _answered(model, records, verb, given.on_bad == "skip" and not alone, skipped)
    names, count, tally = kept_names(list(kept), verb.schema), 0, [0]
    with ExitStack() as files:
        sinks = _sinks(given, verb, kept, kind, own, drawn, files)
        for group in _ranked(_tallied(answers, tally), verb, given):
            count += len(group)
            rows = [[Answered(record, answer, columns, names) for record, answer in group] for _, columns in sinks]
            for (sink, _), some in zip(sinks, rows, strict=True):
                sink.add(some)
            if not given.out:
                for record, answer in group:
                    _print(Answered(record, answer, verb.columns, names), verb, given.as_json, alone)
        if not tally[0]:
            why = skipped.first.message if skipped.first and skipped.count == 1 else f"{counted(skipped.count)} skipped"
            raise DataError(f"nothing was left to answer: {why}")
    for path in filter(None, (given.out, given.show)):
        say(f"{path}: {counted(count)}")
    if words := noted.summary("notes"):
        say(words)
    if skipped.count:
        say(f"skipped {skipped.count} of {counted(count + skipped.count)}")


def counted(count: int) -> str:
    """1 record, 2 records."""
    return f"{count:,} record" + "s" * (count != 1)


# Reading


def _is_one_file(given: Given, kind: ValueType) -> bool:
    """Whether a file was given that is one record."""
    from maskwright.records.tables import is_table

    text = given.text or ""
    return bool(kind.display.endings) and os.path.isfile(text) and not is_table(Path(text))


def _refused(notice: Notice) -> None:
    """Of a file that is one record there are no others to go on with."""
    raise DataError(notice.what, where=notice.where)


def _records(
    given: Given, kind: ValueType, skipped: Notices, noted: Notices
) -> tuple[Iterator[Record], bool, dict[str, Any]]:
    """The records of a file, a folder or stdin; or one value, spelled out (True); and the columns that they carry along."""
    from maskwright.records.read import Source, columns_to_keep, read
    from maskwright.records.record import Origin, Record
    from maskwright.records.tables import kind_of

    text = given.text
    if text is None:
        if sys.stdin.isatty():
            raise QueryError(f"no {kind.name}", fix="give a file, or - and pipe it in")
        text = "-"
    if text != "-" and not os.path.exists(text):
        if not kind.spelled_out:
            raise DataError(f"no such file or folder (this model takes {kind.name})", where=text)
        if kind_of(Path(text)) and not any(c.isspace() for c in text):
            raise DataError("no such file (a text of that name can be piped in with -)", where=text)
        spelled = os.fsencode(text).decode("utf-8", "surrogateescape")  # whatever encoding the locale claims
        return iter([Record(kind.of_python(spelled, kind.name), Origin(kind.name))]), True, {}
    source = Source(
        paths=(text,), value_type=kind, field=given.field, grain=given.record, layout=given.layout.checked(),
        keep=_kept(given), on_bad=given.on_bad, on_skipped=skipped, on_notice=noted,
    )  # fmt: skip
    kept = columns_to_keep(source) if source.keep is None or source.keep else {}
    return read(replace(source, keep=tuple(kept))), False, kept


def _kept(given: Given) -> tuple[str, ...] | None:
    """What `Source.keep` shall be."""
    if given.keep == "none" or (given.keep is None and not given.out and not given.sort):
        return ()
    if given.keep in (None, "all"):
        return None
    return tuple(name.strip() for name in str(given.keep).split(","))


def _only(records: Iterator[Record], kind: ValueType, ending: str) -> Iterator[Record]:
    """The only record there may be, told before any is answered."""
    first = list(itertools.islice(records, 2))
    if len(first) > 1:
        fix = "name a folder, or a .parquet file"
        raise RunError(f"several {kind.name} don't go into one {ending} file", fix=fix)
    return iter(first)


# Answering


def _answered(model: Model, records: Iterator[Record], verb: Verb, skip: bool, skipped: Notices) -> Iterator[Group]:
    """Groups of records with their answers; where one of a group can't be answered, the others still are."""
    for group in model.groups(records):
        try:
            yield list(zip(group, verb.answer(group), strict=True))
        except (QueryError, DataError):
            if not skip:
                raise
            yield _each_by_itself(group, verb, skipped)


def _each_by_itself(group: Sequence[Record], verb: Verb, skipped: Notices) -> Group:
    kept: Group = []
    for record in group:
        try:
            kept += zip([record], verb.answer([record]), strict=True)
        except (QueryError, DataError) as error:
            skipped(Notice(error.message))
    return kept


def _tallied(groups: Iterator[Group], tally: list[int]) -> Iterator[Group]:
    """The same, and how many records there were."""
    for group in groups:
        tally[0] += len(group)
        yield group


def _ranked(groups: Iterator[Group], verb: Verb, given: Given) -> Iterator[Group]:
    """The groups as they come; or those records that are wanted, in the order that was asked for."""
    if given.only_odd:
        groups = ([(r, a) for r, a in group if verb.columns(r, a)["odd"]] for group in groups)
    by = given.sort or (verb.order if given.top else None)
    if by is None:
        yield from groups
        return
    every = itertools.chain.from_iterable(groups)
    keyed = ((_sort_key(record, verb.columns(record, answer), by), record, answer) for record, answer in every)
    if given.top:
        found = heapq.nlargest(given.top, keyed, key=itemgetter(0))
    else:
        found = sorted(keyed, key=itemgetter(0), reverse=True)
    for begin in range(0, len(found), SORTED_GROUP):
        yield [(record, answer) for _, record, answer in found[begin : begin + SORTED_GROUP]]


def _sort_key(record: Record, columns: dict[str, Any], by: str) -> tuple[bool, float, str]:
    """Numbers before words, and both before what is missing."""
    there = {**record.kept, **columns}
    if by not in there:
        fix = f"there are: {', '.join(name for name, cell in there.items() if isinstance(cell, (str, int, float)))}"
        raise QueryError(f"no column {by!r} to sort by", fix=fix, option="sort")
    cell = there[by]
    try:
        return True, float(cell), ""
    except (TypeError, ValueError):
        return False, 0.0, "" if cell is None else str(cell)


# Writing


def _check_show(given: Given, verb: Verb, kind: ValueType) -> None:
    if not given.show:
        return
    if given.out and Path(given.out).absolute() == Path(given.show).absolute():
        raise RunError(f"is {option('out')} too", where=option("show", given.show), fix="name another", option="show")
    if not kind.display.endings:
        fix = f"{kind.name} is printed, or written with {option('out')}"
        raise QueryError(f"{option('show')} is for pictures", fix=fix, option="show")


def _own_files(verb: Verb, kind: ValueType) -> OwnFiles | None:
    """How answers are files of their own, where they hold values that can be."""
    from maskwright.cli.writers import OwnFiles

    values, display = verb.values, kind.display
    if values is None or not display.endings:
        return None

    def contents(answered: Answered) -> list[tuple[bytes, str]]:
        return [(display.cell(value), display.ending(value)) for value in values(answered.answer)]

    return OwnFiles(kind.name, display.endings, contents)


def _drawn_files(verb: Verb, kind: ValueType) -> OwnFiles | None:
    """What there is to look at, as files."""
    from maskwright.cli.writers import OwnFiles

    picture = verb.picture
    if picture is None:
        return None

    def contents(answered: Answered) -> list[tuple[bytes, str]]:
        return [(picture(answered.record, answered.answer), PICTURES[0])]

    return OwnFiles(kind.name, PICTURES, contents)


def _sinks(
    given: Given,
    verb: Verb,
    kept: dict[str, Any],
    kind: ValueType,
    own: OwnFiles | None,
    drawn: OwnFiles | None,
    files: ExitStack,
) -> list[tuple[Sink, Columns]]:
    """Where answers go, and where what there is to look at goes; and how each goes into a table."""
    from maskwright.cli.format import arrow_schema
    from maskwright.cli.writers import Answers
    from maskwright.model.results import value_column

    sinks: list[tuple[Sink, Columns]] = []
    picture, column = verb.picture, value_column(kind)
    if given.show and picture is not None:
        to = Answers(Path(given.show), arrow_schema({column: "bytes"}, kept), None, drawn, "show")
        sinks.append((files.enter_context(to), lambda record, answer: {column: picture(record, answer)}))
    if given.out:
        to = Answers(Path(given.out), arrow_schema(verb.schema, kept), verb.matrix, own)
        sinks.append((files.enter_context(to), verb.columns))
    return sinks


def _print(answered: Answered, verb: Verb, as_json: bool, alone: bool) -> None:
    record, answer = answered.record, answered.answer
    if as_json:
        row = verb.columns(record, answer) if alone else answered.row
        lines = [json.dumps(_rounded(row), ensure_ascii=False, default=str)]
    else:
        lines = verb.lines(record, answer, alone)
    print("\n".join(lines), flush=True)


def _rounded(value: Any) -> Any:
    """As JSON can say it; seven digits are more than float32 knows."""
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(inner) for inner in value]
    return value
