"""The default recipes of images, tables, texts and episodes, chosen by cross-validation of ERM.

    python -m benchmarks.calibrate_recipes [NAME ...] [--known FILE]

Only ERM is trained, and only on the training and validation labels of splits that no suite evaluates (split
seeds from 2000). Each split is cross-validated in three stratified folds; test parts are never loaded. For
episodes, whose training part is too small for folds, episodes of the source classes take their place.

The search has stages. Each varies some fields of the best recipe so far: all candidates on as many splits of
each task as make 15 in all, the better third (and the recipe so far) on as many more. From the second stage
on, those that cost more than 1.5 times the first recipe are left out. A candidate's gap is the mean over
tasks of its balanced accuracy minus that of the task's best candidate. If the recipe so far is within half a
point of the smallest gap, it stays; otherwise the cheapest candidate within half a point is chosen. `--known`
keeps every fit in a file, so that an interrupted search goes on where it was.
"""

from __future__ import annotations

import functools
import itertools
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.model_selection import StratifiedKFold

from benchmarks.calibration import FIRST_SEED, Part, Scores, arguments, mean_score
from fsbench.composition import Composition
from fsbench.datasets.known import load_dataset
from fsbench.kinds import get_kind
from fsbench.recipes.recipe import default_recipe, override, parse_overrides, recipe_text
from fsbench.registry import get_registry
from fsbench.rng import generator
from fsbench.tasks.expressions import Task, parse_tasks
from fsbench.tasks.splits import SplitArrays, draw_split
from fsbench.types import Recipe

FOLDS = 3
SPLITS = 15
TIE = 0.5
DEAREST = 1.5

IMAGES = (
    "kshot(digits, k=5)",
    "kshot(mnist5k(size=8), k=5)",
    "longtail(digits, ir=20)",
)
TABLES = (
    "kshot(wine, k=5)",
    "kshot(breast_cancer, k=5)",
    "longtail(breast_cancer, ir=20)",
    "kshot(keel-ionosphere, k=10)",
    "kshot(keel-australian, k=20)",
    "folds(keel-pima, n=2)",
    "folds(keel-vehicle1, n=2)",
    "folds(keel-segment0, n=2)",
)
TEXTS = ("kshot(docstrings, k=10)", "kshot(trec, k=10)", "kshot(subj, k=20)")
EPISODES = ("episodes(glyphs(size=14), way=5, shot=1)", "episodes(glyphs(size=14), way=5, shot=5)")
LARGE = {
    "images": ("kshot(mnist5k(size=8), k=100)", "kshot(mnist5k(size=8), k=250)", "holdout(digits)"),
    "tables": ("holdout(keel-ada)", "holdout(keel-satimage)"),
    "episodes": tuple(
        f"episodes({dataset}, way={way}, shot={shot})"
        for dataset in ("glyphs(size=14)", "omniglot")
        for way in (5, 20)
        for shot in (1, 5)
    ),
}
PASSES = {"images": (2, 3, 5, 10), "tables": (2, 3, 5, 10), "episodes": (20, 40, 80)}

RATES = ("lr=0.001", "lr=0.003", "lr=0.01")
DECAYS = ("weight_decay=0.01", "weight_decay=0.1")
NETWORKS = tuple(
    f"backbone=conv4(norm={n}, width={w})" for n, w in (("group", 32), ("batch", 32), ("batch", 64))
)
SEARCHES: dict[str, tuple[tuple[str, ...], str, list[list[Sequence[str]]]]] = {
    "images": (
        IMAGES,
        "backbone=conv4(norm=group, width=32), steps=200, batch_size=32",
        [
            [NETWORKS, RATES],
            [["steps=50", "steps=100", "steps=200", "steps=300"], ["batch_size=16", "batch_size=32"]],
            [DECAYS, ["dropout=0.0", "dropout=0.3"]],
        ],
    ),
    "tables": (
        TABLES,
        "backbone=mlp, steps=200, batch_size=32",
        [
            [
                [
                    f"backbone={b}"
                    for b in ("mlp", "mlp(width=256)", "mlp(norm=batch)", "mlp(norm=batch, width=256)")
                ],
                ["lr=0.001", "lr=0.003", "lr=0.01", "lr=0.03"],
            ],
            [["steps=100", "steps=200", "steps=300"], DECAYS],
        ],
    ),
    "texts": (
        TEXTS,
        "backbone=tfidf, optimizer=sgd, steps=100, batch_size=16",
        [
            [
                [
                    "backbone=text_cnn, optimizer=adamw, lr=0.003, steps=200",
                    "backbone=bag_of_ngrams, optimizer=adamw, lr=0.03, steps=200",
                    "backbone=ngrams, optimizer=adamw, lr=0.01, steps=200",
                    "backbone=tfidf, optimizer=adamw, lr=0.003",
                    "backbone=tfidf, lr=0.03",
                    "backbone=tfidf, lr=0.1",
                    "backbone=tfidf, lr=0.3",
                    "backbone=tfidf(characters=[3, 4]), lr=0.1",
                ],
            ],
            [["steps=60", "steps=100", "steps=200"], ["batch_size=16", "batch_size=32"]],
            [["weight_decay=0.001", "weight_decay=0.01"], ["dropout=0.0", "dropout=0.3"]],
        ],
    ),
    "episodes": (
        EPISODES,
        "backbone=conv4(norm=group, width=32), steps=40, batch_size=32",
        [
            [NETWORKS, RATES],
            [["steps=20", "steps=40", "steps=80"], DECAYS],
        ],
    ),
}

YARDSTICKS = {"texts": "logistic_regression, naive_bayes, svm"}
"""Strategies that need no network, as a measure of the recipes of a search."""


@functools.cache
def erm() -> Composition:
    """Plain training."""
    return get_registry().parse("erm")[0]


def folds(task: Task, seed: int) -> Iterator[Part]:
    """Parts of a split's labelled data `[1, N, ...]`, each with the labels `[E, M]` of its test part."""
    split = draw_split(task, seed)
    dataset, kind = load_dataset(task.protocol.datasets[0]), get_kind(task.info.kind)
    if task.info.protocol == "episodes":
        yield from source_episodes(task, dataset.x[split.source.index], split.source.y, seed)
        return
    index = np.concatenate([split.train.index[0], split.val.index[0]])
    y = np.concatenate([split.train.y[0], split.val.y[0]])
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(index, y):
        opened = kind.fit(dataset.x[index[train]][None], dataset.info)
        x, tested = opened(dataset.x[index[train]][None]), opened(dataset.x[index[test]][None])
        yield SplitArrays(task.info, x, y[train][None], x[:, :0], y[:0][None], tested), y[test][None]


def source_episodes(task: Task, x: np.ndarray, y: np.ndarray, seed: int, cells: int = 20) -> Iterator[Part]:
    """Episodes like those of a task, of classes of its source."""
    protocol, rng = task.protocol, generator("calibration", seed)
    way, shot, queries = (getattr(protocol, name) for name in ("way", "shot", "queries"))
    rows = np.stack(
        [
            [rng.permutation(np.flatnonzero(y == label))[: shot + queries] for label in chosen]
            for chosen in (rng.permutation(np.unique(y))[:way] for _ in range(cells))
        ]
    )
    labels = np.broadcast_to(np.arange(way)[:, None], (cells, way, shot + queries))
    parts = []
    for part in (slice(None, shot), slice(shot, None)):
        parts += [x[rows[:, :, part].reshape(cells, -1)], labels[:, :, part].reshape(cells, -1)]
    train_x, train_y, test_x, test_y = parts
    yield SplitArrays(task.info, train_x, train_y, train_x[:, :0], train_y[:, :0], test_x), test_y


@dataclass(frozen=True)
class Row:
    """A candidate's means over tasks; `cost` is a multiple of the first recipe's."""

    change: str
    recipe: Recipe
    gap: float
    likelihood: float
    cost: float
    by_task: tuple[float, ...]


def compare(
    scores: Scores, tasks: Sequence[Task], candidates: Mapping[str, Recipe], splits: int, first: Recipe
) -> list[Row]:
    """The candidates on the first splits of each task, the smallest gap first."""
    seeds = range(FIRST_SEED, FIRST_SEED + splits)
    found = [
        [mean_score([scores.score(erm(), task, seed, recipe) for seed in seeds]) for task in tasks]
        for recipe in candidates.values()
    ]
    accuracies = np.array([[score.accuracy for score in by_task] for by_task in found])
    gaps = (accuracies - accuracies.max(0)).mean(1)
    rows = []
    for (change, recipe), by_task, gap in zip(candidates.items(), found, gaps, strict=True):
        likelihood = statistics.mean(score.likelihood for score in by_task)
        cost = scores.cost(erm(), tasks[0].info.kind, recipe, first)
        rows.append(Row(change, recipe, float(gap), likelihood, cost, tuple(s.accuracy for s in by_task)))
    return sorted(rows, key=lambda row: -row.gap)


def splits_of_each(tasks: Sequence[Task]) -> int:
    """How many splits of each task make SPLITS in all, rounded up."""
    return math.ceil(SPLITS / len(tasks))


def show(title: str, rows: Sequence[Row]) -> None:
    """Print a table of candidates, with the balanced accuracy on each task."""
    print(f"\n{title}\n{'gap':>6} {'log-lik':>8} {'cost':>5}  by task", flush=True)
    for row in rows:
        numbers = " ".join(f"{value:5.1f}" for value in row.by_task)
        print(f"{row.gap:6.1f} {row.likelihood:8.3f} {row.cost:5.1f}  {numbers}  {row.change}", flush=True)


def show_yardsticks(scores: Scores, specs: str, tasks: Sequence[Task], splits: int) -> None:
    """Print the balanced accuracy of other strategies on the splits of both tables of a stage."""
    print(f"\n  mean  by task, on {splits} splits of each, then on {2 * splits}", flush=True)
    for count, strategy in itertools.product((splits, 2 * splits), get_registry().parse(specs)):
        seeds = range(FIRST_SEED, FIRST_SEED + count)
        recipes = [default_recipe(task.info) for task in tasks]
        by_task = [
            mean_score([scores.score(strategy, task, seed, recipe) for seed in seeds]).accuracy
            for task, recipe in zip(tasks, recipes, strict=True)
        ]
        numbers = " ".join(f"{value:5.1f}" for value in by_task)
        print(f"{statistics.mean(by_task):6.1f}  {numbers}  {strategy.text}", flush=True)


def chosen(rows: Sequence[Row], before: Recipe) -> Row:
    """Of the rows within a tie of the best: the recipe so far, or the cheapest, or the likeliest of those."""
    close = [row for row in rows if row.gap >= max(row.gap for row in rows) - TIE]
    return min(close, key=lambda row: (row.recipe != before, round(row.cost, 1), -row.likelihood))


def search_recipe(scores: Scores, name: str) -> Recipe:
    """The stages of one search; returns the chosen recipe."""
    texts, start, stages = SEARCHES[name]
    tasks = parse_tasks(", ".join(texts))
    first = best = override(Recipe("", 1, 1), parse_overrides(start))
    print(f"\n# {name}: {', '.join(texts)}")
    splits = splits_of_each(tasks)
    if name in YARDSTICKS:
        show_yardsticks(scores, YARDSTICKS[name], tasks, splits)
    for number, axes in enumerate(stages, 1):
        changes = [", ".join(several) for several in itertools.product(*axes)]
        candidates = {change: override(best, parse_overrides(change)) for change in changes}
        rows = compare(scores, tasks, candidates, splits, first)
        show(f"{name}, stage {number}: all on {splits} splits of each task", rows)
        cheap = [row for row in rows if number == 1 or row.cost <= DEAREST]
        kept = {row.change: row.recipe for row in cheap[: max(3, len(cheap) // 3)]}
        kept |= {row.change: row.recipe for row in cheap if row.recipe == best}
        rows = compare(scores, tasks, kept, 2 * splits, first)
        show(f"{name}, stage {number}: the better third on {2 * splits} splits", rows)
        row = chosen(rows, best)
        best = row.recipe
        print(f"chosen: {row.change}")
    print(f"\n{name}: {recipe_text(best)}", flush=True)
    return best


def show_passes(scores: Scores, name: str) -> None:
    """Print the curve of a default recipe over passes: on larger training parts, or on episodes."""
    tasks = parse_tasks(", ".join(LARGE[name]))
    start = replace(default_recipe(tasks[0].info), passes=0)
    if name == "episodes":
        start = replace(start, steps=min(PASSES[name]))
    candidates = {f"passes={passes}": replace(start, passes=passes) for passes in PASSES[name]}
    splits = 1 if name == "episodes" else splits_of_each(tasks)
    rows = compare(scores, tasks, candidates, splits, start)
    show(f"# passes, {name}: {', '.join(LARGE[name])}", sorted(rows, key=lambda row: row.recipe.passes))
    within = [row.recipe.passes for row in rows if row.gap >= rows[0].gap - TIE]
    print(f"within {TIE} of the best, the fewest: {min(within)}", flush=True)


def main() -> None:
    """Run the named searches."""
    passes = {f"passes_of_{name}": name for name in LARGE}
    given = arguments(__doc__, (*SEARCHES, *passes))
    scores = Scores(given.known, folds)
    for name in given.names:
        if name in passes:
            show_passes(scores, passes[name])
        else:
            search_recipe(scores, name)


if __name__ == "__main__":
    main()
