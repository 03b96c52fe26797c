"""The verbs in a shell. It says, and never computes: every command hands its arguments to the library.

stdout carries results, stderr words; `--json` is one object a line. Exit 0; 1 the answer is no; 2 the user's input;
130 on Ctrl-C. Errors are plain single lines, those of usage too; `--debug` shows where they come from.
Nothing heavy is imported until a command needs it.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

import maskwright
from maskwright.cli.bulk import Look, bulk
from maskwright.cli.terminal import ProgressBar, say, warned
from maskwright.errors import DataError, Interrupted, MaskwrightError, QueryError, RunError
from maskwright.records.notices import NAMED, Notices

if TYPE_CHECKING:
    from maskwright.records.read import Record

app = typer.Typer(
    name="maskwright", add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
    help="Train a masked model on your own data; fill its blanks, embed it, find what is odd in it.",
)  # fmt: skip

Where = Annotated[
    Optional[str],
    typer.Argument(metavar="[TEXT|FILE|-]", help="a text, a file, a folder, or - for stdin"),
]
Folder = Annotated[str, typer.Argument(metavar="MODEL", help="a model folder")]
Field = Annotated[Optional[str], typer.Option(help="the field that holds the text, or picture; turns[].text reaches in")]
Grain = Annotated[Optional[str], typer.Option("--record", help="line, paragraph or file: what a record of plain text is")]
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
        raise RunError("--out is missing; name the folder for the model")
    from maskwright.runs.train import train as run

    with ProgressBar() as watch:
        model = run(
            data or None, out=out, budget=budget, steps=steps, tokens=tokens, field=field, group=group,
            held_out=held_out, record=record, modality=modality, tokenizer=tokenizer, init=init, extend_vocab=extend_vocab,
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
        data, budget=budget, field=field, group=group, record=record, modality=modality, tokenizer=tokenizer,
        init=init, extend_vocab=extend_vocab, on_bad=on_bad, settings=set_ or (), device=device, report=say,
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
    on_bad: Bad = "skip",
    precision: Precision = "float32",
    device: Device = "auto",
    out: Annotated[Optional[str], typer.Option(help="a .parquet or .jsonl file; of pictures a .png, or a folder")] = None,
    show: Show = None,
    as_json: Json = False,
) -> None:
    """Fill the blanks of a text ({mask} is one token, {mask*} one to eight, {{mask}} the literal), or of a picture (what is
    transparent, or white in --mask)."""
    from maskwright.cli import format as words

    wanted = targets.split(",") if targets is not None else None
    loaded = maskwright.load(model, precision, device)
    form = loaded.modality.form
    _told(loaded, "fill")
    if draws and draws > 1 and Path(out or "").suffix in form.endings:
        one = Path(str(out)).suffix
        raise RunError(f"--out {out}: {draws} draws don't go into one {one} file; name a folder, or a .parquet file")

    hidden = None if mask is None else form.mask(mask)

    def answer(records: Sequence[Record]) -> list[dict[str, Any]]:
        found = loaded.fill(
            list(records), top_k=top_k, n=n, draws=draws, seed=seed, targets=wanted, coverage=coverage, mask=hidden
        )
        rows = []
        for record, filling in zip(records, found, strict=True):
            try:
                row = filling.row(form)
            except DataError as error:
                raise DataError(f"{record.source}: {error}") from None
            for slot in row["slots"]:
                if coverage is None:
                    slot.pop("region")
            if not row["completions"]:
                row.pop("completions")
            rows.append(row)
        return rows

    def strip(record: Record, row: dict[str, Any]) -> bytes:
        value = record.value if hidden is None else form.masked(record.value, hidden, record.source)
        return form.strip(value, [c[form.column] for c in row.get("completions") or [row]])

    answer([])  # an option that makes no sense is told once, not for every record
    look = Look(show, strip) if show else None
    shown, schema = partial(words.filled, form), words.fill_schema(form)
    bulk(text, form, (field, record, on_bad), answer, out, as_json, shown, schema, look=look)


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
    on_bad: Bad = "skip",
    precision: Precision = "float32",
    device: Device = "auto",
    out: Annotated[Optional[str], typer.Option(help="a .parquet or .jsonl file")] = None,
    show: Show = None,
    as_json: Json = False,
) -> None:
    """How strange a record is, in nats, in all and for each token; higher = stranger."""
    from maskwright.cli import format as words
    from maskwright.model.results import strength

    if passes != "all" and not (passes.isascii() and passes.isdigit() and int(passes)):
        raise QueryError(f"--passes {passes}: give a whole number above 0, or all")
    loaded = maskwright.load(model, precision, device)
    count: int | str = passes if passes == "all" else int(passes)
    form = loaded.modality.form
    _told(loaded, "score")
    level = None if false_alarms is None else loaded.threshold(false_alarms, count)

    def answer(records: Sequence[Record]) -> list[dict[str, Any]]:
        found = loaded.score(list(records), count)
        odd = [{} if level is None else {"odd": s.mean > level, "threshold": level} for s in found]
        return [asdict(s) | {"mean": s.mean} | more for s, more in zip(found, odd, strict=True)]

    def heat(record: Record, row: dict[str, Any]) -> bytes:
        return form.heat(record.value, row["offsets"], strength(row["per_token"], row["shares"]))

    look = Look(show, heat) if show else None
    bulk(
        text, form, (field, record, on_bad), answer, out, as_json, partial(words.scored, form),
        words.SCORE_SCHEMA | ({} if level is None else {"odd": "bool", "threshold": "double"}), look=look,
    )  # fmt: skip


@app.command()
def embed(
    model: Folder,
    text: Where = None,
    field: Field = None,
    record: Grain = None,
    on_bad: Bad = "skip",
    precision: Precision = "float32",
    device: Device = "auto",
    out: Annotated[Optional[str], typer.Option(help="a .parquet, .jsonl or .npy file (with a jsonl of ids)")] = None,
    as_json: Json = False,
) -> None:
    """A vector of unit length for each record."""
    from maskwright.cli import format

    loaded = maskwright.load(model, precision, device)
    bulk(
        text, loaded.modality.form, (field, record, on_bad),
        lambda records: [{"embedding": v.tolist()} for v in loaded.embed(list(records))],
        out, as_json, format.embedded, format.EMBED_SCHEMA, matrix="embedding",
    )  # fmt: skip


@app.command()
def inspect(
    what: Annotated[str, typer.Argument(metavar="DATA|MODEL|RUN")],
    field: Field = None,
    record: Grain = None,
    modality: Kind = "auto",
) -> None:
    """What a data set, a model or a run is, in one screen."""
    from maskwright.cli import format
    from maskwright.records.read import Source

    folder = Path(what)
    if (folder / "maskwright.json").is_file() or (folder / "recipe.toml").is_file():
        print("\n".join(format.model(folder)))
    else:
        skipped, noted = Notices(say), Notices(say)
        source = Source(paths=(what,), field=field, grain=record, on_bad="skip", report=skipped, note=noted)
        print("\n".join(format.data(source, modality)))
        for words, heard in (("records skipped", skipped), ("notes", noted)):
            if heard.count > NAMED:
                say(f"{heard.count:,} {words} in all")


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


def main() -> None:
    """The command `maskwright`: runs one, and turns whatever goes wrong into a line and an exit code."""
    debug = "--debug" in sys.argv[1:]
    arguments = [a for a in sys.argv[1:] if a != "--debug"] or ["--help"]
    code = 0
    warnings.showwarning = warned
    try:
        result = app(args=arguments, prog_name="maskwright", standalone_mode=False)
        code = result if isinstance(result, int) else 0
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit) as error:  # typer exits with 1 where the reader went away, and nowhere else
        code = error.code if isinstance(error, SystemExit) and isinstance(error.code, int) and error.code != 1 else 141
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Interrupted as error:
        say(f"maskwright: {error}")
        code = 130
    except (KeyboardInterrupt, typer.Abort):
        say("maskwright: interrupted")
        code = 130
    except MemoryError:
        if debug:
            traceback.print_exc()
        say("maskwright: out of memory; give less at once, or close other programs")
        code = 2
    except (MaskwrightError, OSError) as error:
        if debug:
            traceback.print_exc()
        words = str(error)
        if isinstance(error, OSError):
            words = f"{error.filename or 'output'}: {error.strerror or error}"
        say(f"maskwright: {' '.join(words.split())}")
        code = 2
    except Exception as error:
        # typer's errors of usage have no public base class; this is what all of them, and nothing else, can do.
        if not hasattr(error, "format_message"):
            raise
        words = " ".join(error.format_message().split()).rstrip(".")
        say(f"maskwright: {words}; see --help")
        code = 2
    sys.exit(code)
