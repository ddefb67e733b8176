"""Test labels never reach a worker: a strategy that searches everything finds none."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from fsbench.registry import get_registry
from fsbench.results import Results
from fsbench.runner import run
from fsbench.tasks.expressions import parse_tasks
from fsbench.tasks.splits import draw_split, materialise

TASKS = ("kshot(digits, k=20)", "folds(digits, n=2)", "holdout(digits)")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]


def run_plugin(module: str, spec: str, patch: pytest.MonkeyPatch, **options: object) -> Results:
    """A real run, with one worker, of a plugin beside this file."""
    patch.setenv("FSBENCH_PLUGINS", module)
    patch.syspath_prepend(str(Path(__file__).parent))
    get_registry.cache_clear()
    try:
        results = run(spec, jobs=1, recipe={"steps": 2}, baseline="erm", **options)
    finally:
        patch.undo()
        get_registry.cache_clear()
    assert {r.status for r in results.records} == {"ok"}, results.failures
    return results


@pytest.fixture(scope="module")
def stolen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what the thief found, on each task, in its memory and in its files."""
    loot, results = tmp_path_factory.mktemp("loot"), tmp_path_factory.mktemp("results")
    options = {"tasks": ", ".join(TASKS), "seeds": [0], "results": results}
    run_plugin("plugins_thief", f'thief(loot="{loot}")', pytest.MonkeyPatch(), **options)
    return loot


def labels(text: str, tmp_path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The labels of training and test samples, in the order in which the worker got them."""
    (task,) = parse_tasks(text)
    sealed = materialise(task, draw_split(task, 0), tmp_path / "split")
    return np.load(tmp_path / "split" / "train_y.npy")[0], sealed.test_y[0]


@pytest.mark.parametrize("place", ["memory", "files"])
@pytest.mark.parametrize("task", TASKS)
def test_the_thief_finds_training_labels_and_no_test_labels(
    task: str, place: str, stolen: Path, tmp_path: Path
) -> None:
    loot = (stolen / f"{task}.{place}").read_bytes()
    train, test = (y.astype(np.uint8).tobytes() for y in labels(task, tmp_path))
    assert train in loot, "the search itself does not work"
    assert test not in loot
    assert test[: len(test) // 2] not in loot
    assert bytes(sorted(test)) not in loot


def test_nothing_is_remembered_from_one_split_to_the_next(tmp_path: Path) -> None:
    tasks = "kshot(wine, k=5), folds(wine, n=2), holdout(wine)"
    results = run_plugin(
        "plugins_memory", "memory", pytest.MonkeyPatch(), tasks=tasks, seeds=2, results=tmp_path
    )
    notes = [record.notes for record in results.records if record.spec == "memory"]
    assert [note[0] for note in notes] == 6 * ["memory: remembers 0 samples"]
