"""The command, as a user types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import maskwright as mw

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def test_help_needs_neither_torch_nor_transformers() -> None:
    code = "import sys; sys.argv = ['maskwright', '--help']\nimport maskwright.cli.app as c\n"
    code += "try: c.main()\nexcept SystemExit: pass\n"
    code += "print(sorted({'torch', 'transformers', 'pyarrow', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip().endswith("[]")
    assert "Commands:" in done.stdout


def test_fill_a_text(folder: Path, run: Run) -> None:
    done = run("fill", folder, "I lost my {mask}.", "--top-k", 2)
    assert done.returncode == 0
    assert done.stdout.startswith("I lost my ")
    row = json.loads(run("fill", folder, "I lost my {mask}.", "--json").stdout)
    assert set(row) == {"text", "prob", "log_prob", "slots"}
    assert set(row["slots"][0]) == {"tokens", "probs", "offset"}
    assert row["slots"][0]["offset"] == 10
    row = json.loads(run("fill", folder, "I lost my {mask}.", "--json", "-n", 3, "--coverage", 0.8).stdout)
    assert len(row["completions"]) == 3
    assert row["slots"][0]["region"]
    row = json.loads(run("fill", folder, "I lost my {mask}.", "--json", "--targets", "card,phone number").stdout)
    assert {c["text"] for c in row["completions"]} == {"card", "phone number"}


def test_score_and_embed_a_text(folder: Path, run: Run) -> None:
    row = json.loads(run("score", folder, "I lost my card.", "--json").stdout)
    assert set(row) == {"total", "mean", "per_token", "shares", "tokens", "offsets"}
    assert "".join(row["tokens"]) == "I lost my card."
    assert "nats in all" in run("score", folder, "I lost my card.").stdout
    assert len(json.loads(run("embed", folder, "a", "--json").stdout)["embedding"]) == 48


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trian"], "No such command 'trian'"),
        (["fill"], "Missing argument"),
        (["fill", "MODEL", "no blank"], "text: no blank in 'no blank'; write {mask}"),
        (["fill", "MODEL", "a {mask}", "--top-k", "x"], "Invalid value for '--top-k'"),
        (["fill", "MODEL", "missing.csv"], "missing.csv: no such file"),
        (["fill", "nowhere", "a {mask}"], "nowhere: no such model folder"),
        (["fill", "MODEL", "a {mask}", "--coverage", "2"], "coverage must lie between 0 and 1"),
        (["score", "MODEL", "a", "--passes", "few"], "--passes few"),
        (["score", "MODEL", "a", "--out", "x.txt"], "--out x.txt: end it in .parquet or .jsonl"),
        (["list", "model"], "list model: choose one of modalities, families, keys (did you mean 'modalities'?)"),
        (["train", "x.txt"], "--out is missing"),
        (["plan", "DATA", "--set", "train.steps=5"], "leave train.steps out"),
        (["plan", "DATA", "--set", "net.norm=post"], "no family has this shape"),
        (["train", "DATA", "--out", "shape", "--set", "net.norm=post"], "no family has this shape"),
        (["plan", "DATA", "--budget", "soon"], "--budget soon"),
        (["inspect", "nowhere"], "nowhere: no such file or folder"),
        (["inspect", "DATA", "--modality", "music"], "no modality 'music'"),
        (["demo", "--modality", "music"], "--modality music: there are demos of image, text"),
    ],
)
def test_what_was_typed_wrongly_is_one_line(folder: Path, corpus: Path, run: Run, arguments: list[str], words: str) -> None:
    done = run(*[{"MODEL": folder, "DATA": corpus}.get(a, a) for a in arguments])
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert words in done.stderr
    assert done.stdout == ""


def test_plan_and_list(folder: Path, corpus: Path, run: Run) -> None:
    rows = [json.loads(line) for line in run("plan", corpus, "--budget", "2m", "--json").stdout.splitlines()]
    assert [row["seconds"] for row in rows] == [60, 120, 240]
    assert all(0 < row["low"] < row["bits_per_byte"] < row["high"] for row in rows)
    wide = [json.loads(line) for line in run("plan", corpus, "--json", "--set", "net.width=320").stdout.splitlines()]
    assert [(row["seconds"], row["width"]) for row in wide] == [(300, 320), (600, 320), (1200, 320)]
    on = run("plan", corpus, "--budget", "2m", "--init", folder)
    assert "unknown" in on.stdout, on.stderr
    assert "48 wide, 2 layers" in on.stdout
    assert run("list", "modalities").stdout.split() == ["image", "text"]
    assert "train.lr = 0.004" in run("list", "keys").stdout
    assert run("--version").stdout.strip() == f"maskwright {mw.__version__}"
    assert run().returncode == 0


@pytest.mark.parametrize(
    "surroundings", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}]
)
def test_a_terminal_that_lacks_a_character_is_no_reason_to_stop(folder: Path, surroundings: dict[str, str]) -> None:
    said = "die Straße — 漢字"
    command = [sys.executable, "-m", "maskwright", "score", str(folder), said]
    done = subprocess.run(command, capture_output=True, env={**os.environ, **surroundings})
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().startswith(f"{mw.load(folder).score(said).total:.3f} nats in all")
