"""The verbs in a shell. It says, and never computes: every command hands its arguments to the library.

stdout carries results, stderr words; `--json` is one object a line. Exit 0; 1 the answer is no; 2 the user's input;
130 on Ctrl-C. Errors are plain single lines, those of usage too; `--debug` shows where they come from.
Nothing heavy is imported until a command needs it.
"""

from __future__ import annotations

import io
import json
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

import maskwright
from maskwright.cli.terminal import ProgressBar, say, warned
from maskwright.errors import DataError, Interrupted, MaskwrightError, QueryError, RunError, option

if TYPE_CHECKING:
    from maskwright.model.results import Filling, Score
    from maskwright.records.record import Record

app = typer.Typer(
    name="maskwright", add_completion=True, rich_markup_mode=None, pretty_exceptions_enable=False,
    help="Train a masked model on your own data; fill its blanks, embed it, find what is odd in it.",
)  # fmt: skip

Where = Annotated[
    Optional[str],
    typer.Argument(metavar="[TEXT|FILE|-]", help="a text, a file, a folder, or - for stdin"),
]
Folder = Annotated[str, typer.Argument(metavar="MODEL", help="a model folder")]
Field = Annotated[Optional[str], typer.Option(help="the field that holds the text, or picture; turns[].text reaches in")]
Grain = Annotated[Optional[str], typer.Option("--record", help="line, paragraph or file: what a record of plain text is")]
Separator = Annotated[Optional[str], typer.Option(help="one character between cells of a table of text, or tab [looks]")]
Header = Annotated[Optional[bool], typer.Option("--header/--no-header", help="whether its first row has names [looks]")]
Quote = Annotated[Optional[str], typer.Option(help="none: its cells are never in quotes [looks]")]
Encoding = Annotated[Optional[str], typer.Option(help="of text that is not UTF-8, such as cp1252 [looks for UTF-16]")]
Keep = Annotated[
    Optional[str], typer.Option(help="columns of the input beside the answer's: all, none, or a,b [all, in files]")
]
Sort = Annotated[Optional[str], typer.Option(help="a column of the answer or the input: the largest first")]
Top = Annotated[Optional[int], typer.Option(min=1, help="so many of them, the largest")]
Json = Annotated[bool, typer.Option("--json", help="one JSON object a line")]
Precision = Annotated[str, typer.Option(help="float32, or bfloat16: faster where the chip has it, a little less exact")]
Device = Annotated[str, typer.Option(help="cpu, cuda, or auto: cuda where there is one")]
Bad = Annotated[str, typer.Option("--on-bad", help="stop or skip at what can't be read")]
Group = Annotated[Optional[str], typer.Option(help="a field whose equal values stay on one side of the split")]
Kind = Annotated[str, typer.Option("--modality", help="the kind of data; auto looks")]
Tokenizer = Annotated[Optional[str], typer.Option(help="a tokenizer.json to use as it is")]
Show = Annotated[Optional[str], typer.Option(help="strips to look at: a .png for one picture, a folder for several")]
Settings = Annotated[Optional[list[str]], typer.Option("--set", metavar="K=V", help="one key of the recipe")]
TrainingDevice = Annotated[Optional[str], typer.Option("--device", help="cpu, cuda, or auto [auto]")]
Init = Annotated[Optional[str], typer.Option(help="a checkpoint to go on from (see `list families`)")]
Extend = Annotated[Optional[int], typer.Option("--extend-vocab", help="new words for its tokeniser, from DATA")]
BadInTraining = Annotated[Optional[str], typer.Option("--on-bad", help="stop or skip at what can't be read [stop]")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"maskwright {maskwright.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="show where an error comes from")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="the version")] = False,
) -> None:
    """Train a masked model on your own data; fill its blanks, embed it, find what is odd in it."""


@app.command()
def train(
    data: Annotated[Optional[list[str]], typer.Argument(metavar="DATA", help="files, folders, or - for stdin")] = None,
    out: Annotated[str, typer.Option(help="the model folder to make")] = "",
    budget: Annotated[Optional[str], typer.Option(help="wall time for everything: 90s, 10m, 2h [10m]")] = None,
    steps: Annotated[Optional[int], typer.Option(help="train so many steps instead")] = None,
    tokens: Annotated[Optional[int], typer.Option(help="train on so many tokens instead")] = None,
    field: Field = None,
    group: Group = None,
    held_out: Annotated[Optional[str], typer.Option(help="your own held-out data")] = None,
    record: Grain = None,
    separator: Separator = None,
    header: Header = None,
    quote: Quote = None,
    encoding: Encoding = None,
    modality: Kind = "auto",
    tokenizer: Tokenizer = None,
    init: Init = None,
    extend_vocab: Extend = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with a run that was stopped or killed")] = False,
    set_: Settings = None,
    device: TrainingDevice = None,
    shard: Annotated[bool, typer.Option("--shard", help="under torchrun: share out the parameters too (FSDP2)")] = False,
    on_bad: BadInTraining = None,
) -> None:
    """Train a model on DATA into the folder --out."""
    if not out:
        raise RunError(f"{option('out')} is missing", fix="name the folder for the model", option="out")
    with ProgressBar() as watch:
        model = maskwright.train(
            data or None, out=out, budget=budget, steps=steps, tokens=tokens, field=field, group=group,
            held_out=held_out, record=record, separator=separator, header=header, quote=quote, encoding=encoding,
            modality=modality, tokenizer=tokenizer, init=init, extend_vocab=extend_vocab,
            resume=resume, on_bad=on_bad, settings=set_ or (), device=device, shard=shard, watch=watch,
        )  # fmt: skip
    from maskwright.cli.format import trained

    if os.environ.get("RANK", "0") == "0":  # of several processes one speaks
        for line in trained(out, model.about):
            say(line)


@app.command()
def plan(
    data: Annotated[list[str], typer.Argument(metavar="DATA", help="files, folders, or - for stdin")],
    budget: Annotated[Optional[str], typer.Option(help="90s, 10m, 2h [10m]")] = None,
    field: Field = None,
    group: Group = None,
    record: Grain = None,
    separator: Separator = None,
    header: Header = None,
    quote: Quote = None,
    encoding: Encoding = None,
    modality: Kind = "auto",
    tokenizer: Tokenizer = None,
    init: Init = None,
    extend_vocab: Extend = None,
    set_: Settings = None,
    device: TrainingDevice = None,
    on_bad: BadInTraining = None,
    as_json: Json = False,
) -> None:
    """What would be trained on DATA, and what half and double the budget would bring."""
    from maskwright.cli.format import planned

    rows = maskwright.plan(
        data, budget=budget, field=field, group=group, record=record, separator=separator, header=header, quote=quote,
        encoding=encoding, modality=modality, tokenizer=tokenizer, init=init, extend_vocab=extend_vocab, on_bad=on_bad,
        settings=set_ or (), device=device, report=say,
    )  # fmt: skip
    if as_json:
        for row in rows:
            print(json.dumps(row))
    else:
        print("\n".join(planned(rows)))


@app.command()
def fill(
    model: Folder,
    text: Where = None,
    top_k: Annotated[int, typer.Option(help="candidates a slot")] = 5,
    n: Annotated[Optional[int], typer.Option("-n", help="so many best whole completions")] = None,
    draws: Annotated[Optional[int], typer.Option(help="so many samples")] = None,
    seed: Annotated[int, typer.Option(help="of the samples")] = 0,
    targets: Annotated[Optional[str], typer.Option(help="the blank is one of these, separated by commas")] = None,
    coverage: Annotated[Optional[float], typer.Option(help="a set a slot that holds the truth so often, such as .9")] = None,
    mask: Annotated[Optional[str], typer.Option(help="a picture that is white where pictures shall be filled")] = None,
    field: Field = None,
    record: Grain = None,
    separator: Separator = None,
    header: Header = None,
    quote: Quote = None,
    encoding: Encoding = None,
    on_bad: Bad = "skip",
    precision: Precision = "float32",
    device: Device = "auto",
    out: Annotated[
        Optional[str], typer.Option(help="a .parquet, .csv or .jsonl file; of pictures a .png, or a folder")
    ] = None,
    keep: Keep = None,
    sort: Sort = None,
    top: Top = None,
    show: Show = None,
    as_json: Json = False,
) -> None:
    """Fill the blanks of a text ({mask} is one token, {mask*} one to eight, {{mask}} the literal), or of a picture (what is
    transparent, or white in --mask)."""
    from maskwright.cli import format
    from maskwright.cli.bulk import Given, Verb, bulk
    from maskwright.model.fill import FillOptions
    from maskwright.records.table import Layout

    wanted = [target.strip() for target in targets.split(",")] if targets is not None else None
    loaded = maskwright.load(model, precision, device)
    kind = loaded.modality.value_type
    _told(loaded, "fill")
    if draws and draws > 1 and Path(out or "").suffix in kind.display.endings:
        what = f"{draws} draws don't go into one {Path(str(out)).suffix} file"
        raise RunError(what, where=option("out", out), fix="name a folder, or a .parquet file", option="out")
    options = FillOptions(top_k=top_k, n=n, draws=draws, seed=seed, targets=wanted, coverage=coverage)
    filler = loaded.filler(options)  # an option that makes no sense is told once, not for every record
    hidden = None if mask is None else kind.mask(mask)

    def query(record: Record) -> Record:
        """The record with what --mask hides left out."""
        if hidden is None:
            return record
        return replace(record, value=kind.masked(record.value, hidden, str(record.source)))

    def answer(records: Sequence[Record]) -> list[tuple[Record, Filling]]:
        queries = [query(record) for record in records]
        blanks = [loaded.modality.blanks(one, options.targets) for one in queries]
        return list(zip(queries, filler.fill(queries, blanks, options), strict=True))

    def columns(record: Record, answered: tuple[Record, Filling]) -> dict[str, Any]:
        try:
            return format.fill_columns(kind, answered[1], regions=coverage is not None)
        except DataError as error:
            raise error.at(record.source) from None

    lines = format.filled if wanted is None else format.with_shares

    def said(record: Record, filling: Filling, alone: bool) -> list[str]:
        """Where an answer of several lines is one of many, the record comes first."""
        own = lines(kind, filling, alone)
        several = not alone and (wanted is not None or n is not None or coverage is not None or draws is not None)
        return [f"{record.source}\t{format.short(kind.display.brief(record.value))}", *own] if several else own

    def values(answered: tuple[Record, Filling]) -> list[Any]:
        return [one.value for one in answered[1].completions or [answered[1]]]

    verb = Verb(
        answer, columns, lambda record, answered, alone: said(record, answered[1], alone), format.fill_schema(kind),
        order="prob", values=values,
        picture=lambda record, answered: kind.display.strip(answered[0].value, values(answered)),
    )  # fmt: skip
    bulk(
        loaded,
        Given(
            text, field, record, Layout(separator, header, quote, encoding), on_bad, out, as_json, keep, sort, top, show=show
        ),
        verb,
    )


@app.command()
def score(
    model: Folder,
    text: Where = None,
    passes: Annotated[str, typer.Option(help="masks that cover a record; all: one token at a time, exact")] = "16",
    false_alarms: Annotated[
        Optional[float], typer.Option(help="say which are odd: so many of the ordinary ones are taken for that, such as .05")
    ] = None,
    field: Field = None,
    record: Grain = None,
    separator: Separator = None,
    header: Header = None,
    quote: Quote = None,
    encoding: Encoding = None,
    on_bad: Bad = "skip",
    precision: Precision = "float32",
    device: Device = "auto",
    out: Annotated[Optional[str], typer.Option(help="a .parquet, .csv or .jsonl file")] = None,
    keep: Keep = None,
    sort: Sort = None,
    top: Top = None,
    only: Annotated[Optional[str], typer.Option(help="odd: those alone (with --false-alarms)")] = None,
    show: Show = None,
    as_json: Json = False,
) -> None:
    """How strange a record is, in nats, in all and for each token; higher = stranger."""
    from maskwright.cli import format
    from maskwright.cli.bulk import Given, Verb, bulk
    from maskwright.model.results import strength
    from maskwright.records.table import Layout

    if passes != "all" and not (passes.isascii() and passes.isdigit() and int(passes)):
        raise QueryError("give a whole number above 0, or all", where=option("passes", passes), option="passes")
    loaded = maskwright.load(model, precision, device)
    count: int | str = passes if passes == "all" else int(passes)
    kind = loaded.modality.value_type
    _told(loaded, "score")
    level = None if false_alarms is None else loaded.threshold(false_alarms, count)
    if only not in (None, "odd"):
        raise QueryError("choose odd, or leave it out", where=option("only", only), option="only")
    if only and level is None:
        fix = f"say how rare they shall be among ordinary ones, such as {option('false_alarms', '.05')}"
        raise QueryError("no line is drawn between odd records and ordinary ones", fix=fix, option="only")

    def heat(record: Record, score: Score) -> bytes:
        return kind.display.heat(record.value, score.offsets, strength(score.per_token, score.shares))

    verb = Verb(
        lambda records: loaded.score(list(records), count),
        lambda record, score: format.score_columns(score, level),
        lambda record, score, alone: format.scored(kind, record, score, level, alone),
        format.SCORE_SCHEMA | ({} if level is None else format.ODD_SCHEMA),
        order="mean",
        picture=heat,
    )
    bulk(
        loaded,
        Given(
            text,
            field,
            record,
            Layout(separator, header, quote, encoding),
            on_bad,
            out,
            as_json,
            keep,
            sort,
            top,
            bool(only),
            show,
        ),
        verb,
    )


@app.command()
def embed(
    model: Folder,
    text: Where = None,
    field: Field = None,
    record: Grain = None,
    separator: Separator = None,
    header: Header = None,
    quote: Quote = None,
    encoding: Encoding = None,
    on_bad: Bad = "skip",
    precision: Precision = "float32",
    device: Device = "auto",
    out: Annotated[Optional[str], typer.Option(help="a .parquet, .csv, .jsonl or .npy file (with a jsonl of ids)")] = None,
    keep: Keep = None,
    as_json: Json = False,
) -> None:
    """A vector of unit length for each record."""
    from maskwright.cli import format
    from maskwright.cli.bulk import Given, Verb, bulk
    from maskwright.records.table import Layout

    loaded = maskwright.load(model, precision, device)
    verb = Verb(
        lambda records: [vector.tolist() for vector in loaded.embed(list(records))],
        lambda record, vector: {"embedding": vector},
        lambda record, vector, alone: [" ".join(f"{x:.5f}" for x in vector)],
        format.EMBED_SCHEMA,
        matrix="embedding",
    )
    bulk(loaded, Given(text, field, record, Layout(separator, header, quote, encoding), on_bad, out, as_json, keep), verb)


@app.command()
def inspect(
    what: Annotated[str, typer.Argument(metavar="DATA|MODEL|RUN")],
    field: Field = None,
    record: Grain = None,
    separator: Separator = None,
    header: Header = None,
    quote: Quote = None,
    encoding: Encoding = None,
    modality: Kind = "auto",
) -> None:
    """What a data set, a model or a run is, in one screen."""
    from maskwright.cli import inspect
    from maskwright.records.notices import Notices
    from maskwright.records.table import Layout

    layout, folder = Layout(separator, header, quote, encoding), Path(what)
    if (folder / "maskwright.json").is_file() or (folder / "recipe.toml").is_file():
        print("\n".join(inspect.model(folder)))
        return
    skipped, noted = (Notices(lambda notice: say(notice.message)) for _ in range(2))
    print("\n".join(inspect.data(what, field, record, layout, modality, skipped, noted)))
    for words in filter(None, (skipped.summary("records skipped"), noted.summary("notes"))):
        say(words)


@app.command("list")
def list_(what: Annotated[str, typer.Argument(metavar="modalities|families|keys")]) -> None:
    """The names that other commands take."""
    from maskwright.cli import format

    print("\n".join(format.names(what)))


@app.command()
def demo(modality: Annotated[str, typer.Option(help="the kind of data")] = "text") -> None:
    """Train for a minute on the docstrings of the installed Python packages (or on two photographs), and show what came of
    it."""
    from maskwright.cli.demos import demo as run

    with ProgressBar() as watch:
        shown = run(modality, watch)
    for part in shown:
        part()


def _told(model: maskwright.Model, verb: str) -> None:
    """Says what a person must know of a model's answers."""
    if words := model.modality.caveats.get(verb):
        say(words)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command `maskwright`: runs one, turns whatever goes wrong into a line, and returns the exit code.

    `arguments` are those of the process unless they are given.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() != "utf-8":
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a character is no reason to stop
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = [argument for argument in given if argument != "--debug"] or ["--help"]
    with warnings.catch_warnings():
        warnings.showwarning = warned
        try:
            result = app(args=given, prog_name="maskwright", standalone_mode=False)
            sys.stdout.flush()
            return result if isinstance(result, int) else 0
        except (BrokenPipeError, SystemExit) as error:  # typer exits with 1 where the reader went away, and nowhere else
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = error.code if isinstance(error, SystemExit) else None
            return code if isinstance(code, int) and code != 1 else 141
        except (Exception, KeyboardInterrupt) as error:
            code, words = _outcome(error)
            if debug and code == 2:
                traceback.print_exc()
            say(f"maskwright: {' '.join(words.split())}")
            return code


def _outcome(error: BaseException) -> tuple[int, str]:
    """Exit code and words for what went wrong; what is nobody's mistake but ours is raised again."""
    if isinstance(error, Interrupted):
        return 130, error.message
    if isinstance(error, (KeyboardInterrupt, typer.Abort)):
        return 130, "interrupted"
    if isinstance(error, MaskwrightError):
        return 2, error.message
    if isinstance(error, MemoryError):
        return 2, "out of memory; give less at once, or close other programs"
    if isinstance(error, OSError):
        return 2, f"{error.filename or 'output'}: {error.strerror or error}"
    # typer's errors of usage have no public base class; this is what all of them, and nothing else, can do.
    if hasattr(error, "format_message"):
        return 2, error.format_message().rstrip(".") + "; see --help"
    raise error
