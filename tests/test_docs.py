"""What the documents say is what happens."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

import maskwright as mw
from tests.conftest import ROOT


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_command_reference_is_fresh() -> None:
    written = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    assert written == script("make_reference").reference(), "run `make docs`"


def test_the_public_names_are_these() -> None:
    assert set(mw.__all__) == {
        "DataError", "Interrupted", "MaskwrightError", "Model", "ModelError", "QueryError", "RecipeError", "RunError",
        "__version__", "load", "plan", "train",
    }  # fmt: skip
    assert all(hasattr(mw, name) for name in mw.__all__)
    import maskwright.runs.plan
    import maskwright.training.loop  # noqa: F401

    assert all(map(callable, (mw.train, mw.plan, mw.load)))  # no submodule may take its place


def test_versions_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == mw.__version__
    assert f"## {mw.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_links_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_files_stay_small_and_say_what_they_are() -> None:
    for path in [p for ending in ("py", "cpp", "h") for p in (ROOT / "src").rglob(f"*.{ending}")]:
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 400, path
        assert text.startswith('"""' if path.suffix == ".py" else "// "), path


def test_importing_costs_nothing() -> None:
    import subprocess

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
def test_the_demo_shows_all_three_verbs(tmp_path: Path) -> None:
    import subprocess

    done = subprocess.run([sys.executable, "-m", "maskwright", "demo"], capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stderr
    for words in ("Filled", "Scored", "Embedded", "How good is a model of one minute?", "counting"):
        assert words in done.stdout
