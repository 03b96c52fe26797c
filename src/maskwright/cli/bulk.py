"""A verb over many records: read as they come, answered in chunks, printed or written in order.

In: what the shell was given, and a function that answers records. Out: lines on stdout, or a file; what was skipped is
named on stderr and counted. Knows nothing of the verbs.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskwright.cli.terminal import say
from maskwright.errors import DataError, QueryError, RunError
from maskwright.records.notices import NAMED, Notices

if TYPE_CHECKING:
    from maskwright.records.forms import Form
    from maskwright.records.read import Record


@dataclass(frozen=True)
class Look:
    """Answers as pictures to look at, and where they go."""

    path: str
    strip: Callable[[Record, dict[str, Any]], bytes]


CHUNK_RECORDS, CHUNK_SIZE = 512, 300_000
LOOKS = (".png",)
"""what pictures to look at end in"""


def bulk(
    text: str | None,
    form: Form,
    reading: tuple[str | None, str | None, str],
    answer: Callable[[Sequence[Record]], list[dict[str, Any]]],
    out: str | None,
    as_json: bool,
    shown: Callable[[Record, dict[str, Any], bool], list[str]],
    schema: Any,
    matrix: str | None = None,
    look: Look | None = None,
) -> None:
    """Reads records, answers them in chunks, and prints or writes what came, in order."""
    from maskwright.cli.format import arrow_schema
    from maskwright.cli.writers import Answers
    from maskwright.records.tables import is_table

    sole = form.endings and os.path.isfile(text or "") and not is_table(Path(text or ""))  # such a file is one record
    skipped, noted = Notices(_refused if sole else lambda message: say(f"skipped: {message}")), Notices(say)
    if look and out and Path(out).absolute() == Path(look.path).absolute():
        raise RunError(f"--show {look.path}: is --out too; name another")
    if look and not form.endings:
        raise QueryError(f"--show is for pictures; {form.name} is printed, or written with --out")
    records, alone = _records(text, form, *reading, skipped, noted)
    own = form.endings if form.column in schema else ()  # of what goes to --out
    single = {Path(out or "").suffix.lower()}.intersection(own)
    single |= {Path(look.path if look else "").suffix.lower()}.intersection(LOOKS)
    if single:
        records = _only(records, form, min(single))
    rows = _answered(records, form, answer, reading[2] == "skip" and not alone, skipped)
    count = 0
    with ExitStack() as files:
        sink, strips = None, None
        if out:
            sink = files.enter_context(Answers(Path(out), arrow_schema(schema), matrix, form, own))
        if look:
            kind = arrow_schema({form.column: "bytes"})
            strips = files.enter_context(Answers(Path(look.path), kind, None, form, LOOKS, "--show"))
        for chunk in rows:
            count += len(chunk)
            if strips and look:
                strips.add([{"source": r.source, form.column: look.strip(r, row)} for r, row in chunk])
            if sink:
                sink.add([{"id": r.id, "source": r.source, **row} for r, row in chunk])
                continue
            for record, row in chunk:
                named = row if alone else {"id": record.id, "source": record.source, **row}
                lines = [json.dumps(_rounded(named), ensure_ascii=False)] if as_json else shown(record, row, alone)
                print("\n".join(lines), flush=True)
        if not count:
            why = skipped.first if skipped.count == 1 else f"{counted(skipped.count)} skipped"
            raise DataError(f"nothing was left to answer: {why}")
    for path in filter(None, (out, look.path if look else None)):
        say(f"{path}: {counted(count)}")
    if noted.count > NAMED:
        say(f"{noted.count:,} notes in all")
    if skipped.count:
        say(f"skipped {skipped.count} of {counted(count + skipped.count)}")


def _refused(message: str) -> None:
    """Of a file that is one record there are no others to go on with."""
    raise DataError(message)


def counted(count: int) -> str:
    return f"{count:,} record" + "s" * (count != 1)


def _only(records: Iterator[Record], form: Form, ending: str) -> Iterator[Record]:
    """The only record there may be, told before any is answered."""
    first = list(itertools.islice(records, 2))
    if len(first) > 1:
        raise RunError(f"several {form.name} don't go into one {ending} file; name a folder, or a .parquet file")
    return iter(first)


def _records(
    text: str | None, form: Form, field: str | None, grain: str | None, on_bad: str, skipped: Notices, noted: Notices
) -> tuple[Iterator[Record], bool]:
    """The records of a file, a folder or stdin; or one text, given as it is."""
    from maskwright.records.read import Record, Source, read
    from maskwright.records.tables import kind_of

    if text is None:
        if sys.stdin.isatty():
            raise QueryError(f"no {form.name}: give a file, or - and pipe it in")
        text = "-"
    if text != "-" and not os.path.exists(text):
        if not form.literal:
            raise DataError(f"{text}: no such file or folder (this model takes {form.name})")
        if kind_of(Path(text)) and not any(c.isspace() for c in text):
            raise DataError(f"{text}: no such file (a text of that name can be piped in with -)")
        return iter([Record(text, "text")]), True
    source = Source(paths=(text,), form=form, field=field, grain=grain, on_bad=on_bad, report=skipped, note=noted)
    return read(source), False


def _answered(
    records: Iterator[Record],
    form: Form,
    answer: Callable[[Sequence[Record]], list[dict[str, Any]]],
    skip: bool,
    skipped: Notices,
) -> Iterator[list[tuple[Record, dict[str, Any]]]]:
    """Chunks of records with their answers; where one of a chunk can't be answered, the others still are."""
    for chunk in _chunks(records, form):
        try:
            yield list(zip(chunk, answer(chunk), strict=True))
            continue
        except (QueryError, DataError):
            if not skip:
                raise
        kept = []
        for record in chunk:
            try:
                kept.append((record, answer([record])[0]))
            except (QueryError, DataError) as error:
                skipped(str(error))
        if kept:
            yield kept


def _chunks(records: Iterator[Record], form: Form) -> Iterator[list[Record]]:
    chunk: list[Record] = []
    size = 0
    for record in records:
        chunk.append(record)
        size += form.size(record.value)
        if len(chunk) >= CHUNK_RECORDS or size >= CHUNK_SIZE:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


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
