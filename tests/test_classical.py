"""Classical strategies predict what scikit-learn predicts; the best is chosen on training labels only."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fsbench_plugins import _choosing, _estimators
from fsbench_plugins.best_classical import BestClassical, candidates
from fsbench_plugins.hist_gradient_boosting import HistGradientBoosting
from fsbench_plugins.knn import Knn
from fsbench_plugins.logistic_regression import LogisticRegression
from fsbench_plugins.random_forest import RandomForest
from fsbench_plugins.svm import Svm
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import ensemble, linear_model, neighbors, svm
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from toy import context, fitted_alone

from fsbench import InertComponent, LabeledSet, Strategy
from fsbench.kinds.text import encode_texts
from fsbench.registry import load_registry
from fsbench.types import TaskInfo

DIRECTLY = {
    LogisticRegression(C=0.3): lambda seed: linear_model.LogisticRegression(C=0.3, max_iter=1000),
    Svm(C=3.0): lambda seed: svm.SVC(C=3.0, break_ties=True),
    Knn(n_neighbors=4): lambda seed: neighbors.KNeighborsClassifier(4, weights="distance"),
    Knn(n_neighbors=1, weights="uniform"): lambda seed: neighbors.KNeighborsClassifier(1),
    RandomForest(20, max_features=0.5): lambda seed: ensemble.RandomForestClassifier(
        20, max_features=0.5, random_state=seed
    ),
    HistGradientBoosting(10, min_samples_leaf=3): lambda seed: ensemble.HistGradientBoostingClassifier(
        max_iter=10, min_samples_leaf=3, early_stopping=False
    ),
}
DEFAULTS = [LogisticRegression(), Svm(), Knn(), RandomForest(10), HistGradientBoosting(5), BestClassical()]


def data(counts: tuple[int, ...] = (14, 14, 12), seed: int = 0) -> LabeledSet:
    """Normally distributed samples of 4 features, classes in random order."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    centres = 1.5 * np.random.default_rng(5).normal(size=(len(counts), 4))
    x = centres[y] + rng.normal(size=(len(y), 4))
    return LabeledSet(torch.tensor(x, dtype=torch.float32), torch.eye(len(counts))[y])


def arrays(train: LabeledSet) -> tuple[np.ndarray, np.ndarray]:
    return train.x.double().numpy(), train.y.numpy()


@pytest.mark.parametrize("subject", DIRECTLY, ids=str)
@pytest.mark.parametrize("counts", [(20, 20), (10, 12, 9, 9)])
def test_predictions_equal_scikit_learns(subject: Strategy, counts: tuple[int, ...]) -> None:
    train, test = data(counts), data(counts, seed=1).x
    predict, seed, notes = fitted_alone(subject, train)
    direct = DIRECTLY[subject](seed).fit(*arrays(train))
    np.testing.assert_array_equal(predict(test).argmax(1).numpy(), direct.predict(test.double().numpy()))
    if not isinstance(subject, Svm):
        expected = direct.predict_proba(test.double().numpy())
        np.testing.assert_allclose(predict(test).softmax(1).numpy(), expected, atol=1e-5)
    assert notes == []


@pytest.mark.slow
@settings(max_examples=10)
@given(st.lists(st.integers(1, 7), min_size=2, max_size=4), st.integers(0, 9))
def test_classes_of_any_size_can_be_learned(counts: list[int], seed: int) -> None:
    train = data(tuple(counts), seed)
    for subject in DEFAULTS:
        logits = fitted_alone(subject, train)[0](train.x)
        assert logits.shape == (sum(counts), len(counts))
        assert bool(logits.isfinite().all())


def test_the_choice_is_the_best_in_cross_validation() -> None:
    train = data((15, 15, 15), seed=3)
    noisy = LabeledSet(train.x, torch.eye(3)[(train.y + (torch.arange(45) % 4 == 0)) % 3])
    found = candidates("table", weighted=False, trees=5)
    x, y = arrays(noisy)
    folds = list(StratifiedKFold(5, shuffle=True, random_state=7).split(x, y))
    scores = {
        text: balanced_accuracy_score(y, cross_val_predict(each.classifier(36, 7), x, y, cv=folds))
        for text, each in found.items()
    }
    chosen = _choosing.choose(found, noisy, "table", 5, 7)
    assert scores[chosen] == max(scores.values()) > min(scores.values())


def test_the_chosen_one_is_fitted_on_all_samples() -> None:
    train, test = data((15, 15, 15), seed=3), data((15, 15, 15), seed=4).x
    predict, _, notes = fitted_alone(BestClassical(), train)
    (note,) = notes
    chosen = note.removeprefix("best_classical: chose ")
    (alone,) = load_registry().parse(chosen)
    expected, _, _ = fitted_alone(alone.components[0], train)
    assert torch.equal(predict(test), expected(test))


def test_one_sample_of_each_class_leaves_nothing_to_choose_by() -> None:
    train = data((1, 1, 1))
    predict, _, notes = fitted_alone(BestClassical(), train)
    assert notes == ["best_classical: chose logistic_regression(C=1.0)"]
    assert torch.equal(predict(train.x), fitted_alone(LogisticRegression(), train)[0](train.x))


def test_weights_leave_out_nearest_neighbours() -> None:
    train = data()
    weighted = LabeledSet(train.x, train.targets, torch.linspace(1, 2, 40))
    with pytest.raises(InertComponent, match="KNeighborsClassifier takes no sampling weights"):
        fitted_alone(Knn(), weighted)
    fitted_alone(BestClassical(), weighted)
    assert set(candidates("table", False)) - set(candidates("table", True)) == {
        "knn(n_neighbors=1)",
        "knn(n_neighbors=5)",
        "knn(n_neighbors=15)",
    }


def test_boosting_is_for_tables() -> None:
    assert set(candidates("table", False)) - set(candidates("image", False)) == {"hist_gradient_boosting"}


@pytest.mark.parametrize("subject", [Svm(), BestClassical()], ids=str)
@pytest.mark.parametrize("count", [6, 8])
def test_texts_that_are_all_equal_are_learned(subject: Strategy, count: int) -> None:
    x = torch.from_numpy(encode_texts(["two words"] * 2 * count, 16))
    train = LabeledSet(x, torch.eye(2)[torch.arange(2 * count) % 2])
    ctx = context(subject, "fit", TaskInfo("toy", "kshot", "text", (16,), 2), train=train)
    logits = subject.fit(train, lambda _: pytest.fail("the engine trained"), ctx).predict(x)
    assert torch.isfinite(logits).all()
    assert (logits == logits[0]).all()


def test_large_training_sets_are_reduced_class_by_class() -> None:
    train = data((300, 60, 1))
    predict, _, notes = fitted_alone(Svm(most_samples=60), train)
    assert notes == ["svm: 361 samples, fitted on 61 of them"]
    ctx = context(Svm(), "fit", TaskInfo("toy", "kshot", "table", (4,), 3), train=train)
    part = _estimators.at_most(60, train, ctx, "fitted on")
    assert part.class_counts.tolist() == [50, 10, 1]
    direct = svm.SVC(C=10.0, break_ties=True).fit(*arrays(part))
    np.testing.assert_array_equal(predict(train.x).argmax(1).numpy(), direct.predict(arrays(train)[0]))
    _, _, notes = fitted_alone(Knn(most_samples=60), train)
    assert notes == ["knn: 361 samples, compared with 61 of them"]
    assert RandomForest(most_samples=60).classifier(361, 0).max_samples == 60
    assert RandomForest(most_samples=361).classifier(361, 0).max_samples is None
    assert _estimators.at_most(361, train, ctx, "fitted on") is train
