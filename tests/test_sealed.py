"""Test labels never reach a worker: a strategy that searches everything finds none."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from fsbench.data.splits import materialise
from fsbench.data.tasks import parse_tasks
from fsbench.registry import get_registry
from fsbench.runner import run

TASK = "kshot(digits, k=20)"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]


@pytest.fixture(scope="module")
def loot(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the thief brought home from its memory and from its files."""
    base = tmp_path_factory.mktemp("sealed")
    patch = pytest.MonkeyPatch()
    patch.setenv("FSBENCH_PLUGINS", "plugins_thief")
    patch.syspath_prepend(str(Path(__file__).parent))
    get_registry.cache_clear()
    try:
        results = run(
            f'thief(loot="{base / "loot"}")',
            tasks=TASK,
            seeds=[0],
            jobs=1,
            results=base / "results",
            recipe={"steps": 2},
        )
    finally:
        patch.undo()
        get_registry.cache_clear()
    assert [r.status for r in results.records] == ["ok", "ok"], results.failures
    return {name: (base / f"loot.{name}").read_bytes() for name in ("memory", "files")}


def labels(tmp_path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The labels of training and test samples, in the order in which the worker was handed them."""
    (task,) = parse_tasks(TASK)
    sealed = materialise(task, 0, tmp_path / "split")
    return np.load(tmp_path / "split" / "train_y.npy")[0], sealed.test_y[0]


@pytest.mark.parametrize("place", ["memory", "files"])
def test_the_thief_finds_training_labels_and_no_test_labels(
    place: str, loot: dict[str, bytes], tmp_path: Path
) -> None:
    train, test = (y.astype(np.uint8).tobytes() for y in labels(tmp_path))
    assert train in loot[place], "the search itself does not work"
    assert test not in loot[place]
    assert test[: len(test) // 2] not in loot[place]
    assert bytes(sorted(test)) not in loot[place]
