"""`sklearn`: what it predicts is what scikit-learn, called directly, predicts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from fsbench_plugins.sklearn import Sklearn
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from toy import fitted_alone, toy_trial

from fsbench import InertComponent, LabeledSet, Recipe
from fsbench.composition import Composition
from fsbench.errors import ConflictError, SpecError
from fsbench.registry import load_registry
from fsbench.testing import toy_split

DIRECTLY = {
    "logistic_regression": lambda seed: LogisticRegression(C=0.5, max_iter=1000),
    "knn": lambda seed: KNeighborsClassifier(3),
    "decision_tree": lambda seed: DecisionTreeClassifier(random_state=seed),
    "random_forest": lambda seed: RandomForestClassifier(20, random_state=seed),
    "svm": lambda seed: SVC(C=0.5),
    "gradient_boosting": lambda seed: GradientBoostingClassifier(n_estimators=20, random_state=seed),
}


def strategy(estimator: str) -> Sklearn:
    return Sklearn(estimator, C=0.5, n_neighbors=3, n_estimators=20)  # type: ignore[arg-type]


def data(classes: int = 3, seed: int = 0, samples: int = 40) -> LabeledSet:
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(classes), rng.integers(0, classes, samples - classes)])
    x = 1.5 * np.random.default_rng(5).normal(size=(classes, 4))[y] + rng.normal(size=(samples, 4))
    return LabeledSet(torch.tensor(x, dtype=torch.float32), torch.eye(classes)[y])


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("estimator", DIRECTLY)
def test_predictions_equal_scikit_learns(estimator: str, classes: int) -> None:
    train, test = data(classes), data(classes, seed=1).x
    predict, seed, notes = fitted_alone(strategy(estimator), train)
    direct = DIRECTLY[estimator](seed).fit(train.x.double().numpy(), train.y.numpy())
    logits = predict(test)
    assert logits.dtype == torch.float32
    assert logits.shape == (40, classes)
    if estimator == "svm":
        values = direct.decision_function(test.double().numpy())
        expected = np.stack([-values / 2, values / 2], 1) if classes == 2 else values
        np.testing.assert_allclose(logits.numpy(), expected, rtol=1e-5, atol=1e-6)
    else:
        expected = direct.predict_proba(test.double().numpy())
        np.testing.assert_allclose(logits.softmax(1).numpy(), expected, atol=1e-5)
        np.testing.assert_array_equal(logits.argmax(1).numpy(), direct.predict(test.double().numpy()))
    assert notes == []


def test_images_are_flattened() -> None:
    flat = data(samples=60)
    images = LabeledSet(flat.x.reshape(-1, 1, 2, 2), flat.targets)
    first, _, _ = fitted_alone(Sklearn(), flat)
    second, _, _ = fitted_alone(Sklearn(), images)
    torch.testing.assert_close(first(flat.x), second(images.x))


def test_sampling_weights_are_sample_weights_of_mean_one() -> None:
    train = data(2)
    weights = torch.linspace(1, 40, 40)
    predict, _, _ = fitted_alone(Sklearn(), LabeledSet(train.x, train.targets, weights))
    direct = LogisticRegression(max_iter=1000).fit(
        train.x.double().numpy(), train.y.numpy(), sample_weight=(weights / weights.mean()).numpy()
    )
    expected = direct.predict_proba(train.x.double().numpy())
    np.testing.assert_allclose(predict(train.x).softmax(1).numpy(), expected, atol=1e-4)
    same, _, _ = fitted_alone(Sklearn(), LabeledSet(train.x, train.targets, 1e-4 * weights))
    torch.testing.assert_close(predict(train.x), same(train.x), rtol=1e-3, atol=1e-3)


def test_nearest_neighbours_refuse_sampling_weights() -> None:
    train = data()
    with pytest.raises(InertComponent, match=r"KNeighborsClassifier takes no sampling weights"):
        fitted_alone(Sklearn("knn"), LabeledSet(train.x, train.targets, torch.ones(40)))


def test_adjustments_are_noted() -> None:
    train = data()
    soft = LabeledSet(train.x, 0.9 * train.targets + 0.1 / 3)
    predict, _, notes = fitted_alone(Sklearn(), soft)
    assert notes == ["sklearn: soft targets count as their likeliest class"]
    plain, _, _ = fitted_alone(Sklearn(), train)
    assert torch.equal(predict(train.x), plain(train.x))
    _, _, notes = fitted_alone(Sklearn("knn", n_neighbors=50), train)
    assert notes == ["sklearn: 40 samples, so n_neighbors=40 instead of 50"]


@pytest.mark.parametrize("estimator", DIRECTLY)
def test_a_class_without_samples_gets_a_finite_logit_and_is_not_predicted(estimator: str) -> None:
    train = data(3)
    wider = LabeledSet(train.x, torch.nn.functional.pad(train.targets, (1, 1)))
    logits = fitted_alone(strategy(estimator), wider)[0](train.x)
    assert logits.shape == (40, 5)
    assert bool(logits.isfinite().all())
    assert set(logits.argmax(1).tolist()) <= {1, 2, 3}


def trial(spec: str, **toy: Any) -> Any:
    split = toy_split(**toy)
    return toy_trial(spec, split, Recipe("mlp", 3, 16)), split


def test_resampling_comes_before_it() -> None:
    plain, split = trial("sklearn", imbalance=6.0, per_class=24)
    for method in ("smote", "random_over", "class_balanced"):
        changed, _ = trial(f"resampling(method={method})+sklearn", imbalance=6.0, per_class=24)
        assert not np.array_equal(changed.predictions, plain.predictions)
        assert (changed.predictions.argmax(-1) == split.test_y).mean() > 0.9


def test_a_component_that_never_acts_fails_the_trial() -> None:
    with pytest.raises(InertComponent, match="focal"):
        trial("focal+sklearn")
    with pytest.raises(ConflictError, match="both own the stage 'fit'"):
        Composition((Sklearn(), load_registry().strategies["protonet"]()))


def test_wrong_arguments_are_refused() -> None:
    for wrong in ("estimator=perceptron", "C=0", "n_neighbors=0", "n_estimators=0"):
        with pytest.raises(SpecError):
            load_registry().parse(f"sklearn({wrong})")
