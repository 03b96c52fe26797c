"""What the documents say is what happens."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

import maskwright as mw
from tests.conftest import ROOT, TICKETS


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["cli", "python"])
def test_the_references_are_fresh(page: str) -> None:
    written = (ROOT / "docs" / "reference" / f"{page}.md").read_text(encoding="utf-8")
    assert written == getattr(script("make_reference"), page)(), "run `make docs`"


SLOW_EXAMPLES = {"maskwright.runs.train", "maskwright.runs.plan"}
EXAMPLES = [
    pytest.param(name, marks=[pytest.mark.slow] if name in SLOW_EXAMPLES else [])
    for path in sorted((ROOT / "src").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
    for name in [".".join(path.relative_to(ROOT / "src").with_suffix("").parts)]
]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_in_docstrings(
    name: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where they stand, with a folder of tickets and a model of them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tickets.csv").symlink_to(TICKETS)
    known: dict[str, object] = {}
    if name not in SLOW_EXAMPLES:
        (tmp_path / "tickets-model").symlink_to(request.getfixturevalue("folder"))
        known["model"] = request.getfixturevalue("model")
    found = doctest.testmod(importlib.import_module(name), extraglobs=known, raise_on_error=True)
    assert found.attempted
    assert not found.failed


def test_the_public_names_are_these() -> None:
    assert set(mw.__all__) == {
        "DataError", "Interrupted", "MaskwrightError", "Model", "ModelError", "QueryError", "RecipeError", "RunError",
        "__version__", "load", "plan", "train",
    }  # fmt: skip
    assert all(hasattr(mw, name) for name in mw.__all__)
    import maskwright.runs.plan
    import maskwright.training.loop  # noqa: F401

    assert all(map(callable, (mw.train, mw.plan, mw.load)))  # no submodule may take its place


def test_every_module_has_its_mirror() -> None:
    source = ROOT / "src" / "maskwright"
    for path in source.rglob("*.py"):
        if not path.name.startswith("__"):
            mirror = ROOT / "tests" / path.relative_to(source).with_name(f"test_{path.name}")
            assert mirror.exists(), f"{path.relative_to(source)} has no {mirror.relative_to(ROOT)}"


def test_what_needs_no_torch_imports_without_it(tmp_path: Path) -> None:
    """And reads a csv, and a folder of images."""
    (tmp_path / "a.csv").write_text("text,n\nfirst,1\nsecond,2\n")
    for number in range(3):
        Image.new("RGB", (20, 20), (number, 0, 0)).save(tmp_path / f"{number}.png")
    source = ROOT / "src" / "maskwright"
    folders = ("records", "tokens", "system")
    found = [p for folder in folders for p in (source / folder).rglob("*.py") if p.name != "__init__.py"]
    modules = [".".join(("maskwright", *path.relative_to(source).with_suffix("").parts)) for path in found]
    modules += [
        f"maskwright.{name}"
        for name in (*folders, "errors", "model", "model.about", "model.calibration", "modalities", "modalities.base",
                     "modalities.detect", "modalities.text.value", "modalities.image.value")
    ]  # fmt: skip
    code = f"""
import importlib, sys
sys.modules["torch"] = None
for name in {modules!r}:
    importlib.import_module(name)
from maskwright.modalities.detect import claimed
from maskwright.records import Source, read
for path in sys.argv[1:]:
    kind = claimed((path,))[0].value_type
    print(kind.name, len(list(read(Source(paths=(path,), value_type=kind, field=None)))))
"""
    (tmp_path / "images").mkdir()
    for path in tmp_path.glob("*.png"):
        path.rename(tmp_path / "images" / path.name)
    command = [sys.executable, "-c", code, str(tmp_path / "a.csv"), str(tmp_path / "images")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["text 2", "pictures 3"]


def test_versions_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == mw.__version__
    assert f"## {mw.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_links_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_files_say_what_they_are() -> None:
    for path in [p for ending in ("py", "cpp", "h") for p in (ROOT / "src").rglob(f"*.{ending}")]:
        text = path.read_text(encoding="utf-8")
        assert text.startswith('"""' if path.suffix == ".py" else "// "), path


def test_importing_costs_nothing() -> None:
    code = "import sys, maskwright; print({'torch', 'numpy', 'pyarrow'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


SAME = ("tickets", "topics", "bits", "counting", "planted", "same", "pictures", "from", "levels")
"""what begins a line whose numbers come out alike"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tutorial.md", "tutorial-pictures.md"])
def test_the_tutorials_print_what_they_say(name: str) -> None:
    """Line by line: the same things are said, and numbers come out alike; words that a model chose may differ."""
    tutorial, page = script("run_tutorial"), ROOT / "docs" / name
    for (_, written), now in zip(tutorial.blocks(page), tutorial.outputs(page), strict=True):
        old, new = written.splitlines(), now.splitlines()
        assert len(old) == len(new)
        for a, b in zip(old, new, strict=True):
            if a.startswith(SAME):
                assert a.split(":")[0] == b.split(":")[0]
                for x, y in zip(NUMBER.findall(a), NUMBER.findall(b), strict=True):
                    assert float(y) == pytest.approx(float(x), rel=0.2, abs=1.0), (a, b)


@pytest.mark.slow
def test_the_readme_runs_as_it_is_typed(tmp_path: Path) -> None:
    """Its blocks one after the other, as in a clone, with smaller budgets."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    python, shell = (re.findall(rf"```{kind}\n(.*?)```", page, re.S) for kind in ("python", "sh"))
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for command in ([sys.executable, "-c", python[0]], ["bash", "-euc", shell[1]]):
        typed = [word.replace('"2m"', '"12s"').replace("--budget 2m", "--budget 15s") for word in command]
        done = subprocess.run(typed, capture_output=True, text=True, cwd=tmp_path, env=environment)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "strangeness.parquet").exists()


@pytest.mark.slow
def test_the_demo_shows_all_three_verbs(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "maskwright", "demo"], capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stderr
    for words in ("Filled", "Scored", "Embedded", "How good is a model of one minute?", "counting"):
        assert words in done.stdout
