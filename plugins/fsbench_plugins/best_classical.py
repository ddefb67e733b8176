"""The classical strategy that cross-validation on the labels prefers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fsbench import Context, Fitted, LabeledSet, get_kind, param
from fsbench_plugins._classical import PEDREGOSA, Classical
from fsbench_plugins.hist_gradient_boosting import HistGradientBoosting
from fsbench_plugins.knn import Knn
from fsbench_plugins.logistic_regression import LogisticRegression
from fsbench_plugins.naive_bayes import NaiveBayes
from fsbench_plugins.random_forest import RandomForest
from fsbench_plugins.svm import Svm

_TREES_TO_CHOOSE = 25


@dataclass(frozen=True)
class BestClassical(Classical):
    """The classical strategy with the best cross-validation on the training labels, refitted on all of them.

    The candidates are logistic regression and support vector machines at three strengths of regularisation,
    1, 5 and 15 nearest neighbours, a random forest and, on tables, gradient boosting or, on texts, naive
    Bayes. Their score is the balanced accuracy over the stratified `folds` (fewer if no class has so many
    samples); equal scores go to the first of this order. To choose, the forest has 25 trees and gradient
    boosting makes 25 rounds; the chosen one is refitted with 100. Of more than `most_samples`, that many are
    used to choose. The record notes the choice. With one sample in each class, nothing can be held out, and
    it is logistic regression.
    """

    name = "best_classical"
    cite = PEDREGOSA

    folds: int = param(5, low=2)
    most_samples: int = param(2000, low=2)

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The predictor of the chosen candidate, fitted on the whole training set."""
        from fsbench_plugins import _choosing, _estimators

        weighted = train.weights is not None
        part = _estimators.at_most(self.most_samples, train, ctx, "chosen on")
        quick = candidates(ctx.task.kind, weighted, _TREES_TO_CHOOSE)
        chosen = _choosing.choose(quick, part, ctx.task.kind, self.folds, ctx.rng.seed())
        ctx.note(f"chose {chosen}")
        return candidates(ctx.task.kind, weighted)[chosen].fit(train, inner, ctx)


def candidates(kind: str, weighted: bool, trees: int = 100) -> dict[str, Classical]:
    """The strategies to choose from, by their specs; nearest neighbours cannot use sampling weights."""
    found: dict[str, Classical] = {}
    found |= {f"logistic_regression(C={C})": LogisticRegression(C) for C in (1.0, 0.1, 10.0)}
    found |= {f"svm(C={C})": Svm(C) for C in (10.0, 1.0, 100.0)}
    found |= {} if weighted else {f"knn(n_neighbors={k})": Knn(k) for k in (1, 5, 15)}
    found |= {"naive_bayes": NaiveBayes()} if get_kind(kind).terms else {}
    found |= {"random_forest": RandomForest(trees), "hist_gradient_boosting": HistGradientBoosting(trees)}
    return {text: each for text, each in found.items() if each.kinds is None or kind in each.kinds}
