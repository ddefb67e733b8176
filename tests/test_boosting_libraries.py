"""LightGBM and XGBoost: what the libraries predict when called directly, and what is said without them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from fsbench_plugins import _boosted, _boosters
from fsbench_plugins.lightgbm import Lightgbm
from fsbench_plugins.xgboost import Xgboost
from test_classical import arrays, data
from toy import fitted_alone

from fsbench import LabeledSet
from fsbench.registry import load_registry
from fsbench.testing import toy_split

SUBJECTS = [Lightgbm(8, num_leaves=7, reg_lambda=1.0), Xgboost(8, max_depth=3, min_child_weight=0.5)]


def directly(subject: Any, seed: int) -> Any:
    """The library's own classifier with the same settings."""
    library = pytest.importorskip(subject.library, reason=f"needs fsbench[{subject.library}]")
    if subject.library == "lightgbm":
        settings = {"num_leaves": 7, "min_child_samples": 2, "reg_lambda": 1.0, "verbose": -1}
        return library.LGBMClassifier(n_estimators=8, random_state=seed, **settings)
    settings = {"max_depth": 3, "min_child_weight": 0.5, "learning_rate": 0.3}
    return library.XGBClassifier(n_estimators=8, random_state=seed, **settings)


@pytest.mark.parametrize("subject", SUBJECTS, ids=str)
@pytest.mark.parametrize("counts", [(20, 20), (10, 12, 9, 9)])
def test_predictions_are_those_of_the_library(subject: Any, counts: tuple[int, ...]) -> None:
    own = directly(subject, 3)
    train, test = data(counts), data(counts, seed=1).x
    predict, _, notes = fitted_alone(subject, train)
    expected = own.fit(*arrays(train)).predict_proba(test.double().numpy())
    np.testing.assert_allclose(predict(test).softmax(1).numpy(), expected, atol=1e-5)
    assert notes == []


@pytest.mark.parametrize("subject", SUBJECTS, ids=str)
def test_weights_are_the_librarys_and_classes_may_be_missing(subject: Any) -> None:
    own = directly(subject, 3)
    train, test = data((0, 14, 0, 12)), data((0, 14, 0, 12), seed=1).x
    weighted = LabeledSet(train.x, train.targets, torch.linspace(1, 3, 26))
    logits = fitted_alone(subject, weighted)[0](test)
    x, y = arrays(train)
    expected = own.fit(x, y // 2, sample_weight=np.linspace(1, 3, 26) / 2).predict_proba(
        test.double().numpy()
    )
    np.testing.assert_allclose(logits.softmax(1).numpy()[:, [1, 3]], expected, atol=1e-5)
    assert logits.argmax(1).unique().tolist() == [1, 3]


@pytest.mark.parametrize("subject", SUBJECTS, ids=str)
def test_one_class_is_always_predicted(subject: Any) -> None:
    pytest.importorskip(subject.library)
    assert fitted_alone(subject, data((0, 5)))[0](torch.zeros(2, 4)).argmax(1).tolist() == [1, 1]


@pytest.mark.parametrize("subject", [Lightgbm(), Xgboost()], ids=["lightgbm", "xgboost"])
def test_a_class_of_two_samples_is_split_off(subject: Any) -> None:
    pytest.importorskip(subject.library)
    train = data((40, 2))
    train.x[train.y == 1] += 10
    found = fitted_alone(subject, train)[0](train.x).argmax(1)
    assert torch.equal(found, train.y)


@pytest.mark.parametrize("subject", SUBJECTS, ids=str)
def test_its_text_is_the_whole_model(subject: Any) -> None:
    directly(subject, 0)
    x, y = arrays(data())
    first = _boosters.Booster(subject.library, subject.classifier(40, 0)).fit(x, y)
    again = _boosters.Booster.rebuild(**first.arguments())
    np.testing.assert_array_equal(again.predict_proba(x), first.predict_proba(x))


@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_without_the_library_it_says_how_to_get_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_boosted, "find_spec", lambda library: None)
    (composition,) = load_registry().parse(name)
    reason = composition.skip(toy_split("table").info)
    assert reason == f"needs an extra: pip install 'fsbench[{name}]'"
    assert composition.skip(toy_split("image").info) == "works on table data, not on image data"
