"""A modality of another package: one file, installed by an entry point, no change in ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from maskwright.modalities import detect
from tests.conftest import ROOT
from tests.contract import dna

TINY = ("net.width=48", "net.layers=2", "net.heads=2", "net.ff=64", "net.length=32", "train.batch_tokens=1024",
        "train.look_tokens=3000", "calibration.slots=200")  # fmt: skip
Shell = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with `dna` in it, as pip would leave it."""
    site = tmp_path_factory.mktemp("site")
    (site / "dna_of_others.py").write_text((ROOT / "tests" / "contract" / "dna.py").read_text())
    info = site / "dna_of_others-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: dna-of-others\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[maskwright.modalities]\ndna = dna_of_others:DESCRIPTOR\n")
    return site


@pytest.fixture(scope="module")
def shell(site: Path, run: Shell) -> Iterator[Shell]:
    """The command, where that package is installed."""
    sys.path.insert(0, str(site))
    detect.descriptors.cache_clear()
    yield run
    sys.path.remove(str(site))
    detect.descriptors.cache_clear()


@pytest.fixture(scope="module")
def trained(shell: Shell, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("dna")
    (home / "genes.dna").write_text("\n".join(dna.sequences(600)) + "\n")
    settings = [part for setting in TINY for part in ("--set", setting)]
    done = shell("train", home / "genes.dna", "--out", home / "model", "--record", "line", "--steps", 150, *settings)
    assert done.returncode == 0, done.stderr
    assert "taken for sequences: by its ending" in done.stderr
    return home / "model"


def test_it_is_listed(site: Path) -> None:
    """In a process of its own."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "maskwright", "list", "modalities"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.stdout.split() == ["dna", "image", "text"]


def test_one_that_cant_be_loaded_does_not_stop_the_others(site: Path, shell: Shell) -> None:
    info = site / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[maskwright.modalities]\nbroken = nowhere_at_all:DESCRIPTOR\n")
    detect.descriptors.cache_clear()
    listed = shell("list", "modalities")
    shutil.rmtree(info)
    detect.descriptors.cache_clear()
    assert listed.stdout.split() == ["dna", "image", "text"]
    assert "the modality 'broken' (nowhere_at_all:DESCRIPTOR) can't be loaded, and is left out" in listed.stderr


def test_it_trains_and_stands_beside_counting(trained: Path) -> None:
    about = json.loads((trained / "maskwright.json").read_text())
    assert about["modality"] == "dna"
    assert about["held_out"]["bits_per_byte"] < about["held_out"]["floor_frequency"]
    assert about["calibration"]["slots"][0] > 0
    assert "counting neighbours" in (trained / "README.md").read_text()


def test_it_fills_scores_and_embeds(shell: Shell, trained: Path) -> None:
    filled = json.loads(shell("fill", trained, "--json", write(trained, "ACGGTAAC?GTAACGGTA")).stdout.splitlines()[0])
    assert filled["value"] == "ACGGTAACGGTAACGGTA"
    assert filled["slots"][0]["tokens"][0] == "G"
    usual, odd = (
        json.loads(shell("score", trained, "--json", write(trained, letters)).stdout)["mean"]
        for letters in ("ACGGTA" * 6, "TTTTTTTTTTTTCCCCCCCC")
    )
    assert odd > usual
    out = trained.parent / "vectors.npy"
    assert shell("embed", trained, write(trained, "ACGGTA\nGGTAAC"), "--out", out).returncode == 0
    assert out.exists()


def test_wrong_letters_are_one_line(shell: Shell, trained: Path) -> None:
    refused = shell("fill", trained, write(trained, "ACGX"))
    assert refused.returncode == 2
    assert "not a sequence of A, C, G, T; leave it out" in refused.stderr
    assert "Traceback" not in refused.stderr


def write(trained: Path, letters: str) -> Path:
    path = trained.parent / "query.txt"
    path.write_text(letters + "\n")
    return path
