"""Fitted estimators of scikit-learn as files: what comes back predicts the same, and none leads astray."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from skops import io as skops
from trap import Trap

from fsbench.errors import DataError
from fsbench.saved.estimators import load_estimator

X = np.random.default_rng(0).standard_normal((6, 8)).astype(np.float32)


@pytest.mark.parametrize(
    "estimator",
    [
        RandomForestClassifier(2, random_state=0),
        HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=1),
        KNeighborsClassifier(1, algorithm="kd_tree"),
        KNeighborsClassifier(1, algorithm="ball_tree"),
        SVC(),
    ],
    ids=lambda each: type(each).__name__,
)
@pytest.mark.parametrize("form", [np.asarray, csr_matrix], ids=["dense", "sparse"])
def test_estimators_come_back_from_skops(estimator: Any, form: Any, tmp_path: Path) -> None:
    if form is csr_matrix and not isinstance(estimator, KNeighborsClassifier | SVC):
        pytest.skip("holds no inputs")
    algorithm = {"algorithm": "brute"} if form is csr_matrix and hasattr(estimator, "algorithm") else {}
    x = form(np.maximum(X, 0))
    fitted = clone(estimator).set_params(**algorithm).fit(x, np.arange(6) % 2)
    skops.dump(fitted, tmp_path / "e.skops")
    found = load_estimator(tmp_path / "e.skops")
    np.testing.assert_array_equal(found.predict(x), fitted.predict(x))


@pytest.mark.parametrize(("field", "value"), [("indices", 8), ("indices", -1), ("indptr", 10**6)])
def test_a_sparse_matrix_that_leads_astray_is_refused(tmp_path: Path, field: str, value: int) -> None:
    near = KNeighborsClassifier(1, algorithm="brute").fit(csr_matrix(np.maximum(X, 0)), np.arange(6) % 2)
    getattr(near._fit_X, field)[1] = value
    skops.dump(near, tmp_path / "e.skops")
    with pytest.raises(DataError, match=r"a damaged csr_matrix|cannot be read by skops"):
        load_estimator(tmp_path / "e.skops")


@pytest.mark.parametrize(
    "change",
    [
        {"_n_support": np.array([3, 30], dtype=np.int32)},
        {"_dual_coef_": np.zeros((1, 2))},
        {"_intercept_": np.zeros(0)},
        {"support_vectors_": np.zeros((6, 7))},
        {"_n_support": None},
    ],
)
def test_a_support_vector_machine_that_leads_astray_is_refused(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    machine = SVC().fit(X, np.arange(6) % 2)
    vars(machine).update(change)
    skops.dump(machine, tmp_path / "e.skops")
    with pytest.raises(DataError, match="a damaged SVC"):
        load_estimator(tmp_path / "e.skops")


def test_a_type_that_is_not_trusted_is_named(tmp_path: Path) -> None:
    forest = RandomForestClassifier(1).fit(X, np.arange(6) % 2)
    forest.trap = Trap()
    skops.dump(forest, tmp_path / "e.skops")
    with pytest.raises(DataError, match=r"contains trap\.Trap, which is not trusted"):
        load_estimator(tmp_path / "e.skops")
    assert not Path("trapped").exists()


@pytest.mark.parametrize("content", [b"", b"PK", pickle.dumps(Trap())])
def test_what_is_no_skops_file_is_an_error_in_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "e.skops").write_bytes(content)
    with pytest.raises(DataError, match="cannot be read by skops"):
        load_estimator(tmp_path / "e.skops")
    assert not Path("trapped").exists()


@pytest.mark.parametrize(
    ("field", "value"), [("left", 10**6), ("right", 10**6), ("left", 0), ("right", 0), ("feature_idx", 2**29)]
)
def test_a_boosted_tree_that_leads_astray_is_refused(tmp_path: Path, field: str, value: int) -> None:
    """Its compiled code would read memory that is not its own, or go in a circle."""
    boosted = HistGradientBoostingClassifier(max_iter=1, min_samples_leaf=1).fit(X, np.arange(6) % 2)
    (predictor,) = boosted._predictors[0]
    assert not predictor.nodes["is_leaf"][0]
    skops.dump(boosted, tmp_path / "e.skops")
    load_estimator(tmp_path / "e.skops")
    predictor.nodes[field][0] = value
    skops.dump(boosted, tmp_path / "e.skops")
    with pytest.raises(DataError, match="a damaged TreePredictor"):
        load_estimator(tmp_path / "e.skops")


@pytest.mark.parametrize(("field", "value"), [("left_child", 0), ("left_child", 10**6), ("feature", 10**6)])
def test_a_tree_of_a_forest_that_leads_astray_is_refused(tmp_path: Path, field: str, value: int) -> None:
    forest = RandomForestClassifier(n_estimators=1, random_state=0).fit(X, np.arange(6) % 2)
    tree = forest.estimators_[0].tree_
    state = tree.__getstate__()
    state["nodes"][field][0] = value
    tree.__setstate__(state)
    skops.dump(forest, tmp_path / "e.skops")
    with pytest.raises(DataError, match="a damaged Tree"):
        load_estimator(tmp_path / "e.skops")


@pytest.mark.parametrize(("field", "value"), [("idx_end", 2**40), ("idx_start", -1), ("is_leaf", 0)])
def test_a_tree_of_neighbours_that_leads_astray_is_refused(tmp_path: Path, field: str, value: int) -> None:
    near = KNeighborsClassifier(1, algorithm="kd_tree", leaf_size=2).fit(X, np.arange(6) % 2)
    skops.dump(near, tmp_path / "e.skops")
    load_estimator(tmp_path / "e.skops")
    state = list(near._tree.__getstate__())
    place = next(
        i for i, each in enumerate(state) if getattr(each, "dtype", None) is not None and each.dtype.names
    )
    state[place] = np.array(state[place])
    state[place][field][-1] = value
    near._tree.__setstate__(tuple(state))
    skops.dump(near, tmp_path / "e.skops")
    with pytest.raises(DataError, match="a damaged KDTree"):
        load_estimator(tmp_path / "e.skops")
