"""Shared parts of the tests: where they run, the marker `gpu`, seeds, command lines, registered datasets."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import fake_executor
import numpy as np
import pytest
from fake_executor import FakeExecutor
from hypothesis import HealthCheck, settings

import fsbench
from fsbench.cli import main
from fsbench.datasets import known
from fsbench.registry import Registry
from fsbench.results import Results
from fsbench.tasks import splits

Call = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).parents[1]
INSTALLED = Path(fsbench.__file__).parent

# How fast an example is drawn and run depends on the machine: the laws are not about time.
settings.register_profile("fsbench", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeatable", settings.get_profile("fsbench"), derandomize=True)
settings.load_profile("fsbench")


def pytest_configure() -> None:
    """Under tox it is the installed package that is tested: what its wheel lacks must show.

    A shell that starts tests in the background has Ctrl-C ignored, which children inherit; tests press it.
    """
    # The package keeps what it looked up: it must not look up what a test put in the place of this.
    assert fsbench.run.__module__ == "fsbench.runner"
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if "TOX_ENV_NAME" in os.environ and INSTALLED == ROOT / "fsbench":
        raise pytest.UsageError(
            f"tox is to test the installed fsbench; this one is of the checkout: {INSTALLED}"
        )


def pytest_report_header() -> str:
    """Which fsbench is tested."""
    return f"fsbench {fsbench.__version__} in {INSTALLED}"


@pytest.fixture(scope="session", autouse=True)
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run in an empty folder: a process looks for modules where it starts, and finds no checkout there."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("elsewhere"))
    yield
    os.chdir(before)


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Start every test from the same global random numbers, so that results do not vary."""
    random.seed(0)
    np.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture
def no_dataset_stays() -> Iterator[None]:
    """Forget the datasets that a test registers."""
    before = dict(known.DATASETS.added)
    yield
    known.DATASETS.added.clear()
    known.DATASETS.added.update(before)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run one command line in this process, in an empty folder; exit status, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main([str(each) for each in arguments])
        return status, *capsys.readouterr()

    return run


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Runs use an executor that computes nothing; this is its registry. Nothing has been heard yet."""
    registry = fake_executor.registry()
    monkeypatch.setattr("fsbench.runner.get_registry", lambda: registry)
    fake_executor.heard.clear()
    FakeExecutor.made.clear()
    return registry


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All splits that a run has drawn."""
    found: list[str] = []

    def draw(task, seed):
        found.append(f"{task.text} {seed}")
        return real(task, seed)

    real = splits.draw_split
    for module in ("draw", "same_data"):
        monkeypatch.setattr(f"fsbench.{module}.draw_split", draw)
    return found


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with three trials each of two strategies; predictions are random numbers."""
    folder = tmp_path_factory.mktemp("sharing") / "results"
    fake_executor.run(folder, "knn", "kshot(wine, k=2)", seeds=3, baseline="erm")
    return folder


@pytest.fixture(scope="session")
def whole(stored: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that is published of these results."""
    folder = tmp_path_factory.mktemp("sharing") / "published"
    assert main(["publish", str(stored), str(folder), "--by", "Ada", "--predictions"]) == 0
    return folder / "results.jsonl"


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What `fsbench run` hands to the runner, which then finds nothing."""
    found: dict[str, object] = {}

    def run(plugins: str, **options: object) -> Results:
        found.update(plugins=plugins, **options)
        return Results((), Path("nowhere"))

    monkeypatch.setattr("fsbench.cli.running.run_trials", run)
    return found
