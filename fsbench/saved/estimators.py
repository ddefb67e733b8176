"""Fitted estimators of scikit-learn from skops files, without code from the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fsbench.errors import DataError
from fsbench.failure import one_line

_TRUSTED = {
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
"""What skops does not trust by itself: imbalanced-learn, and trees, whose compiled code follows the numbers
in them. `_check` looks at these numbers.
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
    """Raise DataError for trees whose nodes point outside of them, which compiled code would follow."""
    seen: set[int] = set()
    waiting = [found]
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        name = f"{type(thing).__module__}.{type(thing).__qualname__}"
        if not _is_sound(name, thing):
            raise DataError(f"{path} contains a damaged {type(thing).__name__}")
        if isinstance(thing, dict):
            waiting += thing.values()
        elif isinstance(thing, list | tuple):
            waiting += thing
        elif isinstance(thing, np.ndarray):
            waiting += thing.ravel().tolist() if thing.dtype == object else []
        elif type(thing).__module__.startswith(("sklearn.", "imblearn.")) and hasattr(thing, "__dict__"):
            waiting += vars(thing).values()


def _is_sound(name: str, thing: Any) -> bool:
    match name.rpartition(".")[2]:
        case "Tree":
            left, right, feature = thing.children_left, thing.children_right, thing.feature
            inner = left >= 0
            return _within(left[inner], right[inner], thing.node_count) and _within(
                feature[inner], feature[inner], thing.n_features
            )
        case "TreePredictor":
            nodes = thing.nodes
            inner = nodes[nodes["is_leaf"] == 0]
            return _within(inner["left"], inner["right"], len(nodes))
        case "KDTree" | "BallTree":
            data, index, *_ = thing.get_arrays()
            return _within(index, index, len(data))
    return True


def _within(first: np.ndarray, second: np.ndarray, count: int) -> bool:
    both = np.concatenate([first, second]).astype(np.int64)
    return bool(((both >= 0) & (both < count)).all())
