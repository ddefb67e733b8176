"""`temperature`: its value agrees with scikit-learn's, and it changes no decision."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn
import torch
from fsbench_plugins.erm import Erm
from fsbench_temperature import LEAST, MOST, Temperature, fitted_temperature
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import context, task_info

from fsbench import Fitted
from fsbench.composition import Composition
from fsbench.engine.trial import run_trial
from fsbench.errors import FsbenchError, SpecError
from fsbench.metrics import score
from fsbench.recipes.recipe import default_recipe
from fsbench.store import Store
from fsbench.strategy import Strategy
from fsbench.testing import toy_split
from fsbench.types import LabeledSet

CLASSES = 4


def overconfident(samples: int, temperature: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits `temperature` times as large as those from which the labels were drawn."""
    rng = np.random.default_rng(seed)
    true = rng.normal(scale=2, size=(samples, CLASSES))
    p = np.exp(true) / np.exp(true).sum(1, keepdims=True)
    y = (p.cumsum(1) > rng.random((samples, 1))).argmax(1)
    return torch.tensor(temperature * true), torch.eye(CLASSES)[y]


@pytest.mark.parametrize("wanted", [0.3, 1.0, 2.5, 7.0])
def test_it_finds_the_temperature_that_logits_were_made_with(wanted: float) -> None:
    assert fitted_temperature(*overconfident(20000, wanted)) == pytest.approx(wanted, rel=0.05)


@settings(max_examples=25)
@given(st.integers(3, 60), st.floats(0.2, 5), st.integers(0, 99))
def test_no_other_temperature_is_likelier(samples: int, made_with: float, seed: int) -> None:
    logits, targets = overconfident(samples, made_with, seed)

    def nll(t: float) -> float:
        return float(torch.nn.functional.cross_entropy(logits / t, targets.double()))

    found = fitted_temperature(logits, targets)
    assert LEAST <= found <= MOST
    grid = np.geomspace(LEAST, MOST, 200)
    assert nll(found) <= min(nll(t) for t in grid) + 1e-5


@pytest.mark.skipif(
    tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 8), reason="scikit-learn calibrates so from 1.8"
)
def test_the_temperature_is_scikit_learns() -> None:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    logits, targets = overconfident(300, 3.0)
    y = targets.argmax(1).numpy()

    class Given(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        """A classifier whose decision function is its input."""

        classes_ = np.arange(CLASSES)

        def __sklearn_is_fitted__(self) -> bool:
            return True

        def fit(self, x: Any, y: Any) -> Given:
            return self

        def decision_function(self, x: Any) -> Any:
            return x

        def predict(self, x: Any) -> Any:
            return x.argmax(1)

    theirs = CalibratedClassifierCV(FrozenEstimator(Given()), method="temperature").fit(logits.numpy(), y)
    ours = (logits / fitted_temperature(logits, targets)).softmax(1).numpy()
    np.testing.assert_allclose(ours, theirs.predict_proba(logits.numpy()), atol=1e-4)


def predictions(component: Strategy, **split: Any) -> tuple[np.ndarray, np.ndarray]:
    given_split = toy_split("table", **split)
    recipe = default_recipe(given_split.info)
    result = run_trial(("toy", 0, 0), Composition((component,)), recipe, given_split, torch.device("cpu"))
    return result.predictions, given_split.test_y


def test_it_divides_the_baselines_logits_and_moves_no_decision() -> None:
    plain, y = predictions(Erm())
    scaled, _ = predictions(Temperature())
    ratio = plain / scaled
    assert np.allclose(ratio, ratio.flat[0], rtol=1e-4)
    assert not np.isclose(ratio.flat[0], 1)
    before, after = score(plain, y), score(scaled, y)
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "worst_class_recall"):
        assert before[name] == after[name]
    assert before["nll"] != after["nll"]


def test_a_given_value_is_used_and_the_value_one_changes_nothing() -> None:
    plain, _ = predictions(Erm())
    assert np.array_equal(predictions(Temperature(value=1.0))[0], plain)
    assert np.array_equal(predictions(Temperature(value=2.0))[0], plain / 2)


def test_a_validation_part_is_required_unless_a_value_is_given() -> None:
    assert Temperature().skip(task_info(num_val=0)) == "needs a validation part"
    assert Temperature().skip(task_info(num_val=3)) is None
    assert Temperature(value=2.0).skip(task_info(num_val=0)) is None
    empty = LabeledSet(torch.zeros(0, 6), torch.zeros(0, 3))
    component = Temperature()
    with pytest.raises(
        FsbenchError, match=r"no validation sample in this split; give temperature\(value=\.\.\.\)"
    ):
        component.postprocess(Fitted(lambda x: x), empty, context(component, "postprocess", task_info()))


def test_without_errors_the_smallest_temperature_is_likeliest() -> None:
    logits, targets = torch.eye(CLASSES), torch.eye(CLASSES)
    assert fitted_temperature(logits, targets) == pytest.approx(LEAST, rel=1e-3)
    assert fitted_temperature(-logits, targets) == pytest.approx(MOST, rel=1e-3)
    assert math.isfinite(fitted_temperature(1e6 * logits, targets))


@pytest.mark.parametrize("value", [0.0, 11.0, "hot"])
def test_invalid_values_are_refused(value: object) -> None:
    with pytest.raises(SpecError, match="value"):
        Temperature(value=value)  # type: ignore[arg-type]


def test_both_examples_run_beside_the_bundled_strategies(tmp_path: Path) -> None:
    sources = [str(path) for path in sorted((Path(__file__).parents[1] / "examples").glob("*/src"))]
    assert len(sources) == 2
    command = ["run", "--plugins", "poly, temperature, poly(epsilon=2)+temperature", "--seeds", "2"]
    command += ["--baseline", "erm"]
    command += ["--tasks", "kshot(wine, k=5), folds(wine, n=3)", "--recipe", "steps=20", "--metric", "nll"]
    done = subprocess.run(
        [sys.executable, "-m", "fsbench", *command, "--results", str(tmp_path)],
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join(sources), "FSBENCH_PLUGINS": "fsbench_poly,fsbench_temperature"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "on folds(wine, n=3): needs a validation part" in said
    with Store(tmp_path, create=False) as store:
        records = {(r.spec, r.split_seed): r for r in store.records() if r.task == "kshot(wine, k=5)"}
    assert {r.status for r in records.values()} == {"ok"}
    for seed in range(2):
        plain, scaled = records["erm", seed].metrics, records["temperature", seed].metrics
        assert plain["balanced_accuracy"] == scaled["balanced_accuracy"]
        assert plain["nll"] != scaled["nll"]
