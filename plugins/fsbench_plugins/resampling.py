"""Training sets in which every class has equal weight."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from fsbench import Context, LabeledSet, Strategy, TaskInfo, get_kind, param

Method = Literal[
    "auto",
    "smote",
    "borderline_smote",
    "adasyn",
    "smote_tomek",
    "random_over",
    "random_under",
    "class_balanced",
]
_BY_ROW = ("random_over", "random_under", "class_balanced")
"""The methods that do not change samples."""


@dataclass(frozen=True)
class Resampling(Strategy):
    """Balances the classes of the training set, by imbalanced-learn (Lemaître et al. 2017).

    `method`: `smote` (Chawla et al. 2002), `borderline_smote` (Han et al. 2005) and `adasyn` (He et al.
    2008) add samples between a sample and one of its `k_neighbors` neighbours of the same class, until
    the class is as large as the largest; `smote_tomek` (Batista et al. 2004) then removes Tomek links;
    `random_over` repeats samples, `random_under` leaves some out; `class_balanced` changes no sample, but
    draws every class equally often into the batches (Kang et al. 2020). `auto` is `smote` where a sample is
    a row of numbers, and `class_balanced` elsewhere.

    Images are mixed pixel by pixel. An added sample gets its sampling weight and domain from the nearest
    given sample of its class. The record notes what cannot be done in full: fewer neighbours in a class of
    few samples, repetition in a class of one. Folds within the training part, such as those of
    `best_classical`, keep an added sample where they keep both that it lies between, or the one that it
    repeats, and hold none out; where several pairs come into question, they leave it out. Tasks whose
    classes are known to be equally large are skipped.
    """

    name = "resampling"
    results_version = "2"
    cite = (
        "Chawla, N. V., Bowyer, K. W., Hall, L. O. and Kegelmeyer, W. P. (2002). SMOTE: synthetic minority "
        "over-sampling technique. JAIR 16. "
        "Lemaître, G., Nogueira, F. and Aridas, C. K. (2017). Imbalanced-learn. JMLR 18(17)."
    )
    family = "imbalance"
    in_core = True

    method: Method = param("auto")
    k_neighbors: int = param(5, low=1, tune=(1, 10))

    def skip(self, task: TaskInfo) -> str | None:
        """Equal classes leave nothing to do; samples such as words cannot be mixed."""
        if task.balanced:
            return "the training classes are balanced"
        if self._chosen(task) not in _BY_ROW and not get_kind(task.kind).mixable:
            return f"{self.method} mixes samples, which those of {task.kind} data are not made for"
        return None

    def resample(self, train: LabeledSet, ctx: Context) -> LabeledSet:
        """A balanced training set; the samples that are kept keep their soft targets."""
        counts = train.y.bincount(minlength=train.num_classes)
        present = counts[counts > 0]
        if bool((present == present[0]).all()):
            ctx.note("the training classes are balanced already; nothing was resampled")
            return train
        from fsbench_plugins import _class_balance, _imbalanced

        method = self._chosen(ctx.task)
        if method == "class_balanced":
            return replace(train, weights=_class_balance.balanced_draws(train))

        seed = ctx.rng.seed()
        if method in _BY_ROW:
            return _imbalanced.pick(train, method, seed)
        grown = _imbalanced.synthesise(train, method, self.k_neighbors, seed, ctx.note)
        return _imbalanced.without_tomek_links(grown, ctx.note) if method == "smote_tomek" else grown

    def _chosen(self, task: TaskInfo) -> Method:
        """The method on a task."""
        if self.method != "auto":
            return self.method
        rows = len(task.input_shape) == 1 and get_kind(task.kind).mixable
        return "smote" if rows else "class_balanced"
