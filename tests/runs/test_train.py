"""Runs: identical, resumable at any moment, honest about what they can't do."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

import maskwright as mw
from maskwright.runs.recipe import Recipe
from tests.conftest import TINY

Run = Callable[..., "subprocess.CompletedProcess[str]"]
STEPS = 120
SETTINGS = [*TINY, "calibration.slots=40", "train.look_every=30", "train.save_every=0.2"]


def weights(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def options(corpus: Path, out: Path, *more: str) -> list[str]:
    return [
        "train",
        str(corpus),
        "--out",
        str(out),
        "--steps",
        str(STEPS),
        *more,
        *(a for s in SETTINGS for a in ("--set", s)),
    ]


@pytest.fixture(scope="module")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory, run: Run) -> Path:
    out = tmp_path_factory.mktemp("run") / "whole"
    assert run(*options(corpus, out)).returncode == 0
    return out


@pytest.fixture(scope="module")
def stopped(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was interrupted after its first steps."""
    out = tmp_path_factory.mktemp("run") / "stopped"
    process = subprocess.Popen([sys.executable, "-m", "maskwright", *options(corpus, out)], stderr=subprocess.DEVNULL)
    while not (out / "metrics.jsonl").exists() or not (out / "metrics.jsonl").stat().st_size:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.wait()
    return out


def test_two_runs_of_one_recipe_are_identical(corpus: Path, tmp_path: Path, whole: Path, run: Run) -> None:
    assert run(*options(corpus, tmp_path / "again")).returncode == 0
    assert weights(tmp_path / "again") == weights(whole)
    same = [(p / "recipe.toml").read_text() for p in (whole, tmp_path / "again")]
    assert same[0] == same[1]
    other = run(*options(corpus, tmp_path / "other", "--set", "train.seed=1"))
    assert other.returncode == 0
    assert weights(tmp_path / "other") != weights(whole)


@pytest.mark.parametrize("kills", [3, pytest.param(12, marks=pytest.mark.slow)])
def test_killed_at_any_moment_and_resumed_it_ends_in_the_same_bytes(
    corpus: Path, tmp_path: Path, whole: Path, kills: int, run: Run
) -> None:
    out = tmp_path / "killed"
    command = [sys.executable, "-m", "maskwright", *options(corpus, out, "--resume")]
    chance = random.Random(kills)
    for _ in range(kills):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(2.0, 5.0))
        process.kill()
        process.wait()
    assert run(*options(corpus, out, "--resume")).returncode == 0
    assert (out / "recipe.toml").read_text() == (whole / "recipe.toml").read_text()
    assert weights(out) == weights(whole)
    steps = [json.loads(line)["step"] for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(steps)
    assert steps[-1] == STEPS
    assert not (out / "checkpoints").exists()
    assert not list(out.glob(".*.tmp"))


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_saves_and_says_how_to_go_on(
    corpus: Path, tmp_path: Path, whole: Path, which: signal.Signals, run: Run
) -> None:
    out = tmp_path / "stopped"
    command = [sys.executable, "-m", "maskwright", *options(corpus, out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not (out / "metrics.jsonl").exists() or not (out / "metrics.jsonl").stat().st_size:
        time.sleep(0.02)
    process.send_signal(which)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "--resume" in said.splitlines()[-1]
    assert "Traceback" not in said
    assert list((out / "checkpoints").glob("step-*.safetensors"))
    assert run(*options(corpus, out, "--resume")).returncode == 0
    assert weights(out) == weights(whole)


def test_a_finished_run_says_so(corpus: Path, whole: Path, run: Run) -> None:
    before = weights(whole)
    done = run("train", "--out", whole, "--resume")
    assert done.returncode == 0
    assert "finished already" in done.stderr
    assert weights(whole) == before


def test_metrics_card_and_recipe_tell_what_happened(whole: Path) -> None:
    lines = [json.loads(line) for line in (whole / "metrics.jsonl").read_text().splitlines()]
    looks = [line["held_out"] for line in lines if "held_out" in line]
    assert len(looks) == 4
    assert looks[-1]["bits_per_byte"] < looks[0]["bits_per_byte"]
    assert set(looks[0]) == {"nats", "bits_per_byte", "top1", "top5", "floor_frequency", "floor_neighbours"}
    assert {"step", "t", "elapsed", "tokens", "tokens_per_s", "loss", "lr"} <= set(lines[0])
    recipe = Recipe.read(whole / "recipe.toml")
    assert recipe.train.steps == STEPS
    assert recipe.train.dtype in ("float32", "bfloat16")
    card = (whole / "README.md").read_text()
    best = min(look["bits_per_byte"] for look in looks)
    assert f"| this model | {best:.4f} |" in card
    assert f"| counting neighbours | {looks[0]['floor_neighbours']:.4f} |" in card


def test_repeated_options_must_agree(corpus: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "run"
    process = subprocess.Popen([sys.executable, "-m", "maskwright", *options(corpus, out)], stderr=subprocess.DEVNULL)
    while not (out / "recipe.toml").exists():
        time.sleep(0.02)
    process.kill()
    process.wait()
    for more, words in (
        (["--set", "train.lr=1e-5"], "was begun with train.lr = 0.004, not 1e-05"),
        (["--field", "other"], "was begun with data.field = '', not 'other'"),
        (["--steps", "7"], f"was begun with train.steps = {STEPS}, not 7"),
        (["--tokens", "9000"], f"was begun with train.steps = {STEPS}, not 8"),
    ):
        refused = run("train", "--out", out, "--resume", *more)
        assert refused.returncode == 2
        assert words in refused.stderr


@pytest.mark.parametrize(("key", "value", "was"), [("layers", 1, 2), ("heads", 1, 2), ("ff", 80, 64), ("width", 64, 48)])
def test_a_checkpoint_of_another_architecture_is_refused(
    stopped: Path, tmp_path: Path, run: Run, key: str, value: int, was: int
) -> None:
    shutil.copytree(stopped, tmp_path / "m")
    recipe = tmp_path / "m" / "recipe.toml"
    recipe.write_text(recipe.read_text().replace(f"\n{key} = {was}\n", f"\n{key} = {value}\n"))
    refused = run("train", "--out", tmp_path / "m", "--resume")
    assert refused.returncode == 2
    assert f"another architecture: net.{key} is {was}, the recipe makes it {value}" in refused.stderr.splitlines()[-1]


def test_a_run_goes_on_with_the_data_that_it_began_with(corpus: Path, tmp_path: Path, whole: Path, run: Run) -> None:
    data = tmp_path / "data.txt"
    data.write_text(corpus.read_text())
    out = tmp_path / "elsewhere"
    process = subprocess.Popen([sys.executable, "-m", "maskwright", *options(data, out)], stderr=subprocess.DEVNULL)
    while not (out / "metrics.jsonl").exists() or not (out / "metrics.jsonl").stat().st_size:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.wait()
    data.write_text(corpus.read_text() + "one more line\n")
    done = run("train", "--out", out, "--resume")
    assert done.returncode == 0
    assert "the data has changed since this run began" in done.stderr
    assert weights(out) == weights(whole)


def test_a_failed_start_leaves_nothing_in_the_way(corpus: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "small.txt").write_text("too\nsmall\n")
    assert run("train", tmp_path / "small.txt", "--out", tmp_path / "m", "--steps", 5).returncode == 2
    assert not (tmp_path / "m").exists()
    assert run("train", corpus, "--out", tmp_path / "m", "--steps", 5, "--tokenizer", tmp_path / "small.txt").returncode == 2
    assert not (tmp_path / "m").exists()


def test_a_folder_that_holds_no_run_is_left_alone(corpus: Path, tmp_path: Path, run: Run) -> None:
    for name in ("README.md", ".draft.tmp", "checkpoints"):
        path = tmp_path / "project" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("precious")
    refused = run("train", corpus, "--out", tmp_path / "project", "--steps", 5, "--resume")
    assert refused.returncode == 2
    assert "exists and holds no run to resume" in refused.stderr.splitlines()[-1]
    assert [p.read_text() for p in (tmp_path / "project").iterdir()] == ["precious"] * 3


def test_a_few_large_files_are_held_out_by_stretches(texts: list[str], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for number in range(4):
        (tmp_path / "data" / f"{number}.md").write_text("\n".join(texts[number * 500 : number * 500 + 500]))
    (tmp_path / "data" / "LICENSE").write_text("Do what you like.")
    model = mw.train(tmp_path / "data", out=tmp_path / "m", steps=5, settings=SETTINGS)
    assert model.about.data.records == 5
    assert model.about.data.stretched
    assert "Few documents: stretches of them were held out" in (tmp_path / "m" / "README.md").read_text()
    assert model.about.data.held_out_records >= 2
    assert model.about.data.parted or model.about.data.held_out_records == 2


def test_a_loss_that_is_no_number_stops_with_the_records_at_fault(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(
        mw.RunError, match=r"the loss (is not a number|diverges) at step \d+ .* Worst records of that step: [0-9a-f]{16}"
    ):
        mw.train(corpus, out=tmp_path / "m", steps=400, settings=[*SETTINGS, "train.lr=1e6", "train.clip=1e9"])


def test_a_budget_is_kept(corpus: Path, tmp_path: Path) -> None:
    """Loosely: a benchmark holds the figure."""
    begun = time.monotonic()
    model = mw.train(corpus, out=tmp_path / "m", budget="12s", settings=TINY)
    assert time.monotonic() - begun < 30
    assert Recipe.read(tmp_path / "m" / "recipe.toml").train.steps == model.about.trained.steps
    assert model.calibration.slots[0] > 0


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--budget", "0"], "--budget 0: write a number and a unit"),
        (["--budget", "0s"], "too short"),
        (["--budget", "soon"], "--budget soon: write a number and a unit, such as 90s, 10m or 2h"),
        (["--set", "train.learning=1"], "no such key"),
        (["--set", "train.lrr=1"], "(did you mean 'train.lr'?)"),
        (["--set", "train.steps=many"], "train.steps is a whole number"),
        (["--set", "nonsense"], "write it as KEY=VALUE"),
        (["--steps", "0"], "--steps 0: must be at least 1"),
        (["--steps", "5", "--budget", "1m"], "choose one of budget, steps and tokens"),
        (["--set", "train.steps=9", "--budget", "1m"], "train.steps is given twice over"),
        (["--modality", "texts"], "no modality 'texts' (did you mean 'text'?)"),
        (["--tokenizer", "nowhere"], "nowhere: no such file or folder"),
        (["--on-bad", "ignore"], "--on-bad ignore: choose stop or skip"),
    ],
)
def test_what_was_asked_wrongly_is_one_line(corpus: Path, tmp_path: Path, run: Run, more: list[str], words: str) -> None:
    refused = run("train", corpus, "--out", tmp_path / "m", *more)
    assert refused.returncode == 2
    last = refused.stderr.splitlines()[-1]
    assert last.startswith("maskwright: ")
    assert words in last
    assert "Traceback" not in refused.stderr


def test_data_that_cant_be_trained_on(tmp_path: Path, run: Run) -> None:
    (tmp_path / "small.txt").write_text("a few\nwords only\nthree lines\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").write_text("precious")
    for data, out, words in (
        ("small.txt", "m", "too small to train on"),
        ("empty", "m2", "no files in it"),
        ("nowhere.csv", "m3", "no such file or folder"),
        ("small.txt", "taken", "exists; name another folder, or go on with --resume"),
    ):
        refused = run("train", tmp_path / data, "--out", tmp_path / out, "--steps", 5)
        assert refused.returncode == 2
        assert words in refused.stderr.splitlines()[-1]
    assert (tmp_path / "taken" / "file").read_text() == "precious"


def test_standard_input_trains_and_resumes(corpus: Path, tmp_path: Path, run: Run) -> None:
    lines = "\n".join(corpus.read_text().splitlines()[:800])
    done = run(
        "train", "-", "--out", tmp_path / "m", "--steps", 10, *(a for s in SETTINGS for a in ("--set", s)), stdin=lines
    )
    assert done.returncode == 0, done.stderr
    assert mw.load(tmp_path / "m").about.data.paths == ["standard input"]


def test_standard_input_is_not_asked_for_again(corpus: Path, tmp_path: Path, run: Run, whole: Path) -> None:
    out = tmp_path / "m"
    command = [sys.executable, "-m", "maskwright", *options(corpus, out)]
    command[command.index(str(corpus))] = "-"
    with open(corpus) as lines:
        process = subprocess.Popen(command, stdin=lines, stderr=subprocess.DEVNULL)
    while not (out / "recipe.toml").exists():
        time.sleep(0.02)
    process.kill()
    process.wait()
    done = run("train", "--out", out, "--resume", stdin="")
    assert done.returncode == 0, done.stderr
    assert weights(out) == weights(whole)


def test_one_long_document_is_held_out_by_stretches(texts: list[str], tmp_path: Path) -> None:
    (tmp_path / "book.md").write_text("\n".join(texts[:1500]))
    model = mw.train(tmp_path / "book.md", out=tmp_path / "m", steps=10, settings=SETTINGS)
    assert model.about.data.records == 1
    assert model.about.data.held_out_records >= 1


def test_own_held_out_data(corpus: Path, texts: list[str], tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("\n".join(" ".join(t.split()) for t in texts[3000:3100]))
    model = mw.train(corpus, out=tmp_path / "m", held_out=str(tmp_path / "mine.txt"), steps=10, settings=SETTINGS)
    assert model.about.data.held_out_records == 100
    assert model.about.data.own_held_out


def test_a_document_that_is_also_held_out_is_not_trained_on(texts: list[str], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for number in range(3):
        (tmp_path / "data" / f"{number}.md").write_text("\n".join(texts[number * 500 : number * 500 + 500]))
    own = tmp_path / "data" / "1.md"
    model = mw.train(tmp_path / "data", out=tmp_path / "m", held_out=str(own), steps=5, settings=SETTINGS)
    assert not model.about.data.stretched
    assert model.about.data.duplicates == 1
    assert model.about.data.held_out_records == 1


def test_overfitting_is_said_out_loud_and_the_best_weights_are_kept(texts: list[str], tmp_path: Path) -> None:
    (tmp_path / "small.txt").write_text("\n".join(" ".join(t.split()) for t in texts[:250]))
    said: list[str] = []
    model = mw.train(
        tmp_path / "small.txt", out=tmp_path / "m", steps=500, watch=lambda news: said.append(news.words),
        settings=[*SETTINGS, "train.lr=2e-2", "train.weight_decay=0", "mask.rate=0.15", "train.held_out=0.3"],
    )  # fmt: skip
    assert any("overfitting: held-out data was predicted best at step" in words for words in said)
    assert model.about.trained.step < 500
    looks = [json.loads(line) for line in (tmp_path / "m" / "metrics.jsonl").read_text().splitlines() if "held_out" in line]
    best = min(looks, key=lambda line: line["held_out"]["nats"])
    assert model.about.trained.step == best["step"]


@pytest.mark.parametrize("held", ["texts", "rows", "table"])
def test_texts_that_python_holds_are_trained_on_as_files_are(texts: list[str], tmp_path: Path, held: str) -> None:
    some = [" ".join(text.split()) for text in texts[:800]]
    (tmp_path / "some.txt").write_text("\n".join(some))
    rows = [{"n": number, "text": text} for number, text in enumerate(some)]
    given = {"texts": (text for text in some), "rows": rows, "table": pa.Table.from_pylist(rows)}[held]
    field = None if held == "texts" else "text"
    ours = mw.train(given, field=field, out=tmp_path / "a", steps=5, settings=SETTINGS)
    theirs = mw.train(tmp_path / "*.txt", out=tmp_path / "b", steps=5, settings=SETTINGS)
    assert ours.about.data is not None
    assert theirs.about.data is not None
    assert (ours.about.data.records, ours.about.data.bytes) == (theirs.about.data.records, theirs.about.data.bytes)
    assert weights(tmp_path / "a") == weights(tmp_path / "b")


def test_a_pipe_is_read_once_and_trained_on(corpus: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content = "\n".join(corpus.read_text().splitlines()[:800])
    writer = threading.Thread(target=pipe.write_text, args=(content,))
    writer.start()
    model = mw.train(pipe, out=tmp_path / "m", steps=5, settings=SETTINGS)
    writer.join(timeout=60)
    assert model.about.data is not None
    assert model.about.data.records == 800
