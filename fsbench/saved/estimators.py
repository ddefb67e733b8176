"""Fitted estimators of scikit-learn from skops files, without code from the file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from fsbench.errors import DataError
from fsbench.failure import one_line

_TRUSTED = {
    "scipy.sparse._csr.csr_matrix",
    "imblearn.ensemble._easy_ensemble.EasyEnsembleClassifier",
    "imblearn.ensemble._forest.BalancedRandomForestClassifier",
    "imblearn.ensemble._weight_boosting.RUSBoostClassifier",
    "imblearn.pipeline.Pipeline",
    "imblearn.under_sampling._prototype_selection._random_under_sampler.RandomUnderSampler",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.tree._tree.Tree",
}
"""What skops does not trust by itself: imbalanced-learn, and trees and sparse matrices, whose compiled code
follows the numbers in them. `_check` looks at these numbers.
"""


def load_estimator(path: Path) -> Any:
    """The estimator in a skops file.

    Raises DataError for a damaged file, and for types that neither skops nor fsbench trusts.
    """
    from skops import io

    try:
        unknown = sorted(set(io.get_untrusted_types(file=path)) - _TRUSTED)
        if unknown:
            raise DataError(f"{path} contains {unknown[0]}, which is not trusted and not loaded")
        found = io.load(path, trusted=sorted(_TRUSTED))
    except DataError:
        raise
    except Exception as error:  # skops raises anything on a damaged file
        raise DataError(f"{path} cannot be read by skops: {one_line(error)}") from error
    _check(found, path)
    return found


def _check(found: Any, path: Path) -> None:
    """Raise DataError for numbers that would lead compiled code out of its arrays, or in a circle.

    The features that a tree may read are those of the estimator that it is in.
    """
    seen: set[int] = set()
    waiting: list[tuple[Any, int]] = [(found, 0)]
    while waiting:
        thing, features = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        features = int(getattr(thing, "n_features_in_", features))
        try:
            sound = _is_sound(type(thing).__name__, thing, features)
        except (AttributeError, TypeError, ValueError, IndexError):
            sound = False
        if not sound:
            raise DataError(f"{path} contains a damaged {type(thing).__name__}")
        waiting += [(each, features) for each in _parts(thing)]


def _parts(thing: Any) -> Iterable[Any]:
    """What a thing in a file is made of."""
    if isinstance(thing, dict):
        return thing.values()
    if isinstance(thing, list | tuple):
        return thing
    if isinstance(thing, np.ndarray):
        return thing.ravel().tolist() if thing.dtype == object else ()
    ours = type(thing).__module__.startswith(("sklearn.", "imblearn.")) and hasattr(thing, "__dict__")
    return vars(thing).values() if ours else ()


def _is_sound(name: str, thing: Any, features: int) -> bool:
    match name:
        case "Tree":
            inner = np.flatnonzero(thing.children_left >= 0)
            return (
                _lead_on(inner, thing.children_left[inner], thing.node_count)
                and _lead_on(inner, thing.children_right[inner], thing.node_count)
                and _within(thing.feature[inner], min(features, thing.n_features))
            )
        case "TreePredictor":
            nodes, inner = thing.nodes, np.flatnonzero(thing.nodes["is_leaf"] == 0)
            sets = nodes["bitset_idx"][inner[nodes["is_categorical"][inner] != 0]]
            return (
                _lead_on(inner, nodes["left"][inner], len(nodes))
                and _lead_on(inner, nodes["right"][inner], len(nodes))
                and _within(nodes["feature_idx"][inner], features)
                and _within(sets, min(len(thing.raw_left_cat_bitsets), len(thing.binned_left_cat_bitsets)))
            )
        case "KDTree" | "BallTree":
            data, index, nodes, _ = map(np.asarray, thing.get_arrays())
            inner = np.flatnonzero(nodes["is_leaf"] == 0)
            return (
                _within(index, len(data))
                and _within(nodes["idx_start"], len(index) + 1)
                and _within(nodes["idx_end"], len(index) + 1)
                and _within(2 * inner + 2, len(nodes))
            )
        case "csr_matrix":
            ends, columns = thing.indptr.astype(np.int64), thing.indices
            return (
                len(ends) == thing.shape[0] + 1
                and ends[0] == 0
                and ends[-1] == len(columns) == len(thing.data)
                and bool((np.diff(ends) >= 0).all())
                and _within(columns, thing.shape[1])
            )
        case "SVC" if hasattr(thing, "support_vectors_"):
            classes, (count, width) = len(thing.classes_), thing.support_vectors_.shape
            return (
                width == features
                and thing._dual_coef_.shape == (classes - 1, count)
                and thing._dual_coef_.size == (classes - 1) * count
                and len(thing._n_support) == classes
                and int(np.sum(thing._n_support)) == count
                and len(thing._intercept_) == classes * (classes - 1) // 2
            )
    return True


def _lead_on(places: np.ndarray, children: np.ndarray, count: int) -> bool:
    """Whether children are in the tree and behind their parents, so that no path is endless."""
    return _within(children, count) and bool((children.astype(np.int64) > places).all())


def _within(numbers: np.ndarray, count: int) -> bool:
    found = numbers.astype(np.int64)
    return bool(((found >= 0) & (found < count)).all())
