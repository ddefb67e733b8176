"""Defaults of the classical strategies, of `resampling` and of `augmentation`, by cross-validation.

    python -m benchmarks.calibrate_strategies [classical boosting resampling augmentation] [--splits 2]
        [--known FILE]

The procedure is that of `calibrate_recipes.py`: three stratified folds of the labels of splits that no suite
evaluates, under the default recipes; test parts are never loaded. Each row shows the balanced accuracy of a
strategy minus that of the first row, in points: the mean over tasks, the smallest, and each; and the
processor seconds of a fit. `--known` keeps every fit in a file, so that an interrupted run goes on.
"""

from __future__ import annotations

import statistics

from benchmarks.calibrate_recipes import IMAGES, TABLES, folds
from benchmarks.calibration import FIRST_SEED, Score, Scores, arguments, mean_score
from fsbench.composition import Composition
from fsbench.recipes.recipe import default_recipe
from fsbench.registry import get_registry
from fsbench.tasks.expressions import Task, parse_tasks

LONG_TAILS = (
    "longtail(digits, ir=20)",
    "longtail(digits, head=60, ir=10)",
    "longtail(mnist5k(size=8), head=100, ir=50)",
    "longtail(breast_cancer, ir=20)",
    "folds(keel-vehicle1, n=2)",
    "folds(keel-segment0, n=2)",
)
QUESTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "classical": (
        (*IMAGES, "noisy(digits, k=20, rate=0.4)", *TABLES),
        "logistic_regression(C=[1, 0.01, 0.1, 10]), svm(C=[10, 0.1, 1, 100]), "
        "knn(n_neighbors=[1, 3, 5, 9, 15]), knn(n_neighbors=[3, 5], weights=uniform), "
        "random_forest(min_samples_leaf=[1, 2]), random_forest(max_features=[0.1, 0.3]), "
        "hist_gradient_boosting(min_samples_leaf=[2, 1, 5, 20]), hist_gradient_boosting(l2=1), "
        "hist_gradient_boosting(learning_rate=0.05), best_classical",
    ),
    "boosting": (
        TABLES,
        "hist_gradient_boosting, lightgbm, xgboost(min_child_weight=[1, 0.3, 0.1, 0])",
    ),
    "resampling": (
        LONG_TAILS,
        "erm, resampling(method=[smote, borderline_smote, random_over, class_balanced])",
    ),
    "augmentation": (
        TABLES,
        "erm, augmentation(noise=[0.05, 0.1, 0.2, 0.4], mixup=0), "
        "augmentation(noise=0, mixup=[0.1, 0.2, 0.4]), augmentation(noise=[0.05, 0.2], mixup=0.2)",
    ),
}


def answer(scores: Scores, name: str, splits: int) -> None:
    """Print the table of one question."""
    texts, specs = QUESTIONS[name]
    tasks, strategies = parse_tasks(", ".join(texts)), get_registry().parse(specs)
    columns = [[found(scores, strategy, task, splits) for strategy in strategies] for task in tasks]
    print(f"\n{name}, {splits} splits of each task: {', '.join(task.text for task in tasks)}")
    print(f"{'mean':>6} {'least':>6} {'sec':>6}  strategy")
    for strategy, row in zip(strategies, zip(*columns, strict=True), strict=True):
        gaps = [
            None if score is None or first is None else score.accuracy - first.accuracy
            for score, first in zip(row, (column[0] for column in columns), strict=True)
        ]
        known = [gap for gap in gaps if gap is not None]
        seconds = statistics.mean(score.seconds for score in row if score is not None)
        shown = " ".join("    -" if gap is None else f"{gap:+5.1f}" for gap in gaps)
        print(f"{statistics.mean(known):+6.1f} {min(known):+6.1f} {seconds:6.2f}  {strategy.text}: {shown}")


def found(scores: Scores, strategy: Composition, task: Task, splits: int) -> Score | None:
    """The mean score of a strategy over splits of a task; None if it does not run there."""
    if strategy.skip(task.info) is not None:
        return None
    recipe, seeds = default_recipe(task.info), range(FIRST_SEED, FIRST_SEED + splits)
    return mean_score([scores.score(strategy, task, seed, recipe) for seed in seeds])


def main() -> None:
    """Answer the named questions."""
    given = arguments(__doc__, QUESTIONS, splits=2)
    scores = Scores(given.known, folds)
    for name in given.names:
        answer(scores, name, given.splits)


if __name__ == "__main__":
    main()
