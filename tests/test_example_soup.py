"""`greedy_soup`: the mean of weights, as by hand; and the examples beside the bundled strategies."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fsbench_soup import GreedySoup
from test_step import QUICK, trial
from torch import nn
from toy import baseline_context, task_info

from fsbench import Fitted, LabeledSet, Strategy
from fsbench.composition import Composition
from fsbench.errors import InertComponent
from fsbench.registry import load_registry
from fsbench.store import Store
from fsbench.testing import toy_split

SEEN: list[dict[str, torch.Tensor]] = []


@dataclass(frozen=True)
class Sees(Strategy):
    """Keeps the weights of every training."""

    name = "sees"

    def fit(self, train: LabeledSet, inner: Any, ctx: Any) -> Fitted:
        fitted: Fitted = inner(train, recipe=ctx.recipe)
        assert fitted.network is not None
        SEEN.append({name: t.clone() for name, t in fitted.network.state_dict().items()})
        return fitted


def test_one_training_is_plain_training() -> None:
    ours = trial(Composition((GreedySoup(size=1),)))
    assert np.array_equal(ours.predictions, trial("erm").predictions)


def test_the_mean_is_that_of_the_weights_that_lower_the_validation_loss() -> None:
    SEEN.clear()
    found = trial(Composition((Sees(), GreedySoup(size=3))))
    split = toy_split()
    (val_x, val_y, test_x) = (torch.from_numpy(each[0]) for each in (split.val_x, split.val_y, split.test_x))
    network = baseline_context(QUICK).new_model().eval()

    def logits(weights: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            out: torch.Tensor = torch.func.functional_call(network, weights, (x,))
        return out

    def loss(weights: dict[str, torch.Tensor]) -> float:
        return float(nn.functional.cross_entropy(logits(weights, val_x), val_y))

    ordered = sorted(SEEN, key=loss)
    mean, joined = ordered[0], 1
    for other in ordered[1:]:
        mixed = {name: (joined * mean[name] + other[name]) / (joined + 1) for name in mean}
        if loss(mixed) <= loss(mean):
            mean, joined = mixed, joined + 1
    np.testing.assert_allclose(found.predictions[0], logits(mean, test_x).numpy(), atol=1e-5)
    assert found.notes == (f"greedy_soup: {joined} of 3 trainings in the mean",)


def test_it_needs_a_network_and_a_validation_part() -> None:
    assert GreedySoup().skip(task_info(num_val=0)) == "needs a validation part"
    (svm,) = load_registry().parse("svm")
    with pytest.raises(InertComponent, match="greedy_soup had no effect"):
        trial(Composition((*svm.components, GreedySoup())), replace(QUICK, steps=2))


@pytest.mark.slow
def test_the_examples_run_beside_the_bundled_strategies(tmp_path: Path) -> None:
    sources = sorted((Path(__file__).parents[1] / "examples").glob("*/src"))
    modules = [path.name for source in sources for path in source.iterdir() if path.is_dir()]
    modules = [name for name in modules if name.startswith("fsbench_") and "." not in name]
    assert "fsbench_soup" in modules
    command = ["run", "--plugins", "greedy_soup(size=2)", "--seeds", "1"]
    command += ["--baseline", "erm", "--recipe", "steps=20"]
    command += ["--tasks", "kshot(wine, k=5), folds(wine, n=3)"]
    done = subprocess.run(
        [sys.executable, "-m", "fsbench", *command, "--results", str(tmp_path)],
        env=os.environ
        | {
            "PYTHONPATH": os.pathsep.join([*map(str, sources), os.environ.get("PYTHONPATH", "")]),
            "FSBENCH_PLUGINS": ",".join(modules),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "could not be loaded" not in done.stderr
    with Store(tmp_path, create=False) as store:
        found = {(r.spec, r.task.partition("(")[0]): r.status for r in store.records()}
    assert found["greedy_soup(size=2)", "kshot"] == "ok"
    assert found["greedy_soup(size=2)", "folds"] == "skipped"
