"""A record has the same bits whatever ran before it, in any order and beside anything else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import fsbench
from fsbench.store import Store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="strategies fork and look at processes"),
]
TASK = "kshot(digits, k=2)"
HONEST = "focal, lucky, augmentation"
POLLUTERS = (
    "no-gradients, worse-steps, other-precision, other-numbers, burning-threads, burning-children, "
    "no-softmax, other-environment"
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, tuple[fsbench.Record, bytes]]]:
    """Every record and its predictions, by spec, of three runs: without polluters, among and after them."""
    from fsbench.registry import get_registry

    patch = pytest.MonkeyPatch()
    patch.setenv("FSBENCH_PLUGINS", "plugins_polluting")
    patch.syspath_prepend(str(Path(__file__).parent))
    get_registry.cache_clear()
    asked = {
        "alone": (HONEST, 1),
        "after": (f"{POLLUTERS}, {HONEST}", 1),
        "among": (f"{HONEST}, {POLLUTERS}", 2),
    }
    found = {}
    try:
        for name, (specs, jobs) in asked.items():
            folder = tmp_path_factory.mktemp(name)
            options = {
                "tasks": TASK,
                "seeds": 1,
                "recipe": {"steps": 10},
                "device": "cpu",
                "jobs": jobs,
                "baseline": "erm",
            }
            records = fsbench.run(specs, results=folder, **options).records
            with Store(folder) as store:
                assert all(r.status == "ok" for r in records), [r.reason for r in records]
                found[name] = {r.spec: (r, store.predictions(r.key).tobytes()) for r in records}
    finally:
        patch.undo()
        get_registry.cache_clear()
    return found


@pytest.mark.parametrize("run", ["after", "among"])
@pytest.mark.parametrize("spec", ["erm", *HONEST.split(", ")])
def test_earlier_trials_change_no_bit(runs, run, spec) -> None:
    alone, logits = runs["alone"][spec]
    beside, others = runs[run][spec]
    assert (alone.status, alone.isolation) == ("ok", "trial")
    assert logits == others
    measured = {"created", "peak_memory", "seconds_fit", "seconds_predict"}
    same = {name: value for name, value in vars(alone).items() if name not in measured}
    assert same == {name: value for name, value in vars(beside).items() if name not in measured}


def test_the_polluters_really_pollute(runs) -> None:
    """Otherwise the test above would show nothing."""
    records = [record for record, _ in runs["after"].values() if record.spec in POLLUTERS.split(", ")]
    assert [record.status for record in records] == 8 * ["ok"]


def test_a_polluter_changes_its_own_process() -> None:
    import plugins_polluting as polluting
    import torch

    try:
        polluting.no_gradients()
        with pytest.raises(RuntimeError, match="does not require grad"):
            torch.ones(1, requires_grad=True).mul(2).sum().backward()
    finally:
        torch.set_grad_enabled(True)
