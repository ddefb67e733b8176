"""What is published: an sdist from which the tests run, and a complete wheel."""

from __future__ import annotations

import importlib
import pkgutil
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from fnmatch import fnmatch
from pathlib import Path

import pytest

import fsbench
from fsbench.cli import cli
from fsbench.tasks.suites import suite_names

ROOT = Path(__file__).parents[1]
NO_SOURCE = (
    "*.egg-info",
    "__pycache__",
    "build",
    "dist",
    "*venv*",
    ".*_cache",
    ".tox",
    ".git",
    ".hypothesis",
)
PUBLISHED = (
    ".github",
    "benchmarks",
    "docs",
    "examples",
    "fsbench",
    "leaderboards",
    "plugins",
    "tests",
    "tools",
)
SINGLE = (
    ".ci/run",
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "LICENSE",
    "README.md",
    "pyproject.toml",
    "tox.ini",
)
PACKAGES = {"fsbench": ROOT / "fsbench", "fsbench_plugins": ROOT / "plugins" / "fsbench_plugins"}


def test_every_module_of_the_core_has_a_layer():
    """One without would be free to import anything."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = [layer for each in contracts if each["type"] == "layers" for layer in each["layers"]]
    placed = {name.strip() for layer in layers for name in layer.split("|")}
    found = {f"fsbench.{module.name}" for module in pkgutil.iter_modules(fsbench.__path__)}
    assert found - {"fsbench.__main__"} == placed


def build(kind: str, source: Path, into: Path) -> Path:
    """Build an "sdist" or a "wheel" of a source folder with the installed setuptools."""
    into.mkdir()
    code = f"import sys; from setuptools import build_meta; build_meta.build_{kind}(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", code, str(into)], cwd=source, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (built,) = into.iterdir()
    return built


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked sdist of a copy of this source."""
    folder = tmp_path_factory.mktemp("sdist")
    shutil.copytree(ROOT, folder / "source", ignore=shutil.ignore_patterns(*NO_SOURCE, "shared"))
    with tarfile.open(build("sdist", folder / "source", folder / "built")) as archive:
        # The first releases of Python 3.11 have no filters.
        archive.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    return folder / f"fsbench-{fsbench.__version__}"


def files(folder: Path) -> set[str]:
    """The source files below a folder, relative to it."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {
        path.as_posix()
        for path in paths
        if not any(fnmatch(part, pattern) for part in path.parts for pattern in NO_SOURCE)
    }


@pytest.mark.slow
def test_the_sdist_has_every_file_of_a_checkout(unpacked: Path) -> None:
    for name in PUBLISHED:
        assert files(ROOT / name) - files(unpacked / name) == set()
    assert set(SINGLE) <= files(unpacked)


@pytest.mark.slow
def test_the_tests_of_the_sdist_can_be_collected(unpacked: Path) -> None:
    command = [sys.executable, "-P", "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=unpacked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "test_packaging.py" in done.stdout


@pytest.mark.slow
def test_the_wheel_has_every_file_of_the_packages(unpacked: Path) -> None:
    with zipfile.ZipFile(build("wheel", unpacked, unpacked.parent / "wheel")) as wheel:
        names = wheel.namelist()
        metadata = wheel.read(f"fsbench-{fsbench.__version__}.dist-info/METADATA").decode()
    for label in ("Repository", "Documentation", "Changelog", "Issues"):
        assert f"Project-URL: {label}, https://" in metadata
    for package, source in PACKAGES.items():
        packed = {name.removeprefix(f"{package}/") for name in names if name.startswith(f"{package}/")}
        assert packed == files(source)


FORMS = sorted(path for path in (ROOT / ".github").rglob("*.*") if path.is_file())


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_forms_name_commands_and_suites_that_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"(?:`|^ +)fsbench ([a-z]+)", text, re.MULTILINE)) <= set(cli.commands)
    for options in re.findall(r"options: \[(.*)\]", text):
        assert set(options.split(", ")) - {"another"} <= set(suite_names())


def test_a_subprocess_finds_the_fsbench_under_test() -> None:
    code = "import fsbench; print(fsbench.__file__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()) == Path(fsbench.__file__)


MODULES = [path for path in (ROOT / "fsbench").rglob("*.py") if "\n__all__ = " in path.read_text("utf-8")]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_has_every_name_that_it_lists(path):
    module = importlib.import_module(
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    )
    assert [name for name in module.__all__ if not hasattr(module, name)] == []
