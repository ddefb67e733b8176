"""The default recipes of images, tables and episodes, chosen by cross-validation of ERM.

    python benchmarks/calibrate_recipes.py [images tables episodes passes] [--known FILE]

Only ERM is trained, and only on the training and validation labels of splits that no suite evaluates (split
seeds from 1000). Each split is cross-validated in three stratified folds; test parts are never loaded. For
episodes, whose training part is too small for folds, episodes of the source classes take their place.

The search has stages. Each varies some fields of the best recipe so far: all candidates on one split of each
task, the better third (and the recipe so far) on two more. A candidate's gap is the mean over tasks of its
balanced accuracy minus that of the task's best candidate. Of the candidates within half a point of the
smallest gap, the cheapest wins. Candidates that cost more than three times the first recipe are not tried.
`--known` keeps every fit in a file, so that an interrupted search goes on where it was.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score, log_loss
from sklearn.model_selection import StratifiedKFold

from fsbench.composition import Composition
from fsbench.datasets.known import load_dataset
from fsbench.engine.trial import run_trial
from fsbench.kinds import get_kind
from fsbench.recipes.recipe import override, parse_overrides, recipe_text
from fsbench.registry import get_registry
from fsbench.rng import generator
from fsbench.tasks.expressions import Task, parse_tasks
from fsbench.tasks.splits import SplitArrays, draw_split
from fsbench.types import Recipe

CPU = torch.device("cpu")
FIRST_SEED = 1000
FOLDS = 3
TIE = 0.5
DEAREST = 3.0

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
EPISODES = ("episodes(glyphs(size=14), way=5, shot=1)", "episodes(glyphs(size=14), way=5, shot=5)")
LARGE = ("holdout(keel-ada)", "holdout(keel-satimage)", "holdout(keel-segment0)", "holdout(digits)")

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
            [["steps=100", "steps=200", "steps=400"], ["batch_size=16", "batch_size=32"]],
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
            [["steps=100", "steps=200", "steps=400"], ["batch_size=16", "batch_size=32"]],
            [DECAYS, ["dropout=0.0", "dropout=0.3"]],
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


@dataclass(frozen=True)
class Score:
    """Balanced accuracy in percent, mean log-likelihood, and processor seconds of one fit."""

    accuracy: float
    likelihood: float
    seconds: float


class Search:
    """Scores of recipes on tasks, each computed once and kept in a file."""

    def __init__(self, known: Path | None) -> None:
        self.path = known
        self.known: dict[str, Score] = {}
        self.folds: dict[tuple[str, int], list[tuple[SplitArrays, np.ndarray]]] = {}
        (self.erm,) = get_registry().parse("erm")
        if known is not None and known.exists():
            lines = known.read_text(encoding="utf-8").splitlines()
            self.known = {key: Score(*values) for key, *values in map(json.loads, lines)}

    def score(self, task: Task, seed: int, recipe: Recipe) -> Score:
        """The mean over the folds of a split."""
        key = f"{task.text} {seed} {recipe_text(recipe)}"
        if key not in self.known:
            if (task.text, seed) not in self.folds:
                self.folds[task.text, seed] = list(folds(task, seed))
            scores = [fit(self.erm, recipe, *fold) for fold in self.folds[task.text, seed]]
            self.known[key] = Score(*(float(np.mean(v)) for v in zip(*map(values, scores), strict=True)))
            if self.path is not None:
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([key, *values(self.known[key])]) + "\n")
        return self.known[key]


def values(score: Score) -> tuple[float, float, float]:
    """The numbers of a score, in order."""
    return score.accuracy, score.likelihood, score.seconds


def folds(task: Task, seed: int) -> Iterator[tuple[SplitArrays, np.ndarray]]:
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


def source_episodes(
    task: Task, x: np.ndarray, y: np.ndarray, seed: int, cells: int = 20
) -> Iterator[tuple[SplitArrays, np.ndarray]]:
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


def fit(erm: Composition, recipe: Recipe, part: SplitArrays, y: np.ndarray) -> Score:
    """Train on the training part, score on the test part with labels `[E, M]`."""
    begin = time.process_time()
    logits = run_trial(("calibration",), erm, recipe, part, CPU).predictions
    seconds = time.process_time() - begin
    shares = torch.from_numpy(logits).double().softmax(-1).numpy()
    known = range(part.info.num_classes)
    pairs = list(zip(y, shares, strict=True))
    accuracy = np.mean([balanced_accuracy_score(labels, share.argmax(-1)) for labels, share in pairs])
    likelihood = -np.mean([log_loss(labels, share, labels=known) for labels, share in pairs])
    return Score(100 * float(accuracy), float(likelihood), seconds)


@dataclass(frozen=True)
class Row:
    """A candidate's means over tasks; `cost` is a multiple of the first recipe's, `splits` of each task."""

    change: str
    recipe: Recipe
    gap: float
    rank: float
    likelihood: float
    cost: float
    splits: int
    by_task: tuple[float, ...]


def compare(
    search: Search, tasks: Sequence[Task], candidates: Mapping[str, Recipe], splits: int, first: Recipe
) -> list[Row]:
    """The candidates on the first splits of each task, the smallest gap first."""
    seeds = range(FIRST_SEED, FIRST_SEED + splits)
    found = {
        change: [mean_score([search.score(task, seed, recipe) for seed in seeds]) for task in tasks]
        for change, recipe in candidates.items()
    }
    usual = [search.score(task, FIRST_SEED, first).seconds for task in tasks]
    table = np.array([[score.accuracy for score in scores] for scores in found.values()])
    gaps = (table - table.max(0)).mean(1)
    ranks = (1 + (table[None] > table[:, None]).sum(1)).mean(1)
    rows = [
        Row(
            change,
            candidates[change],
            float(gap),
            float(rank),
            statistics.mean(s.likelihood for s in scores),
            statistics.mean(s.seconds / u for s, u in zip(scores, usual, strict=True)),
            splits,
            tuple(s.accuracy for s in scores),
        )
        for (change, scores), gap, rank in zip(found.items(), gaps, ranks, strict=True)
    ]
    return sorted(rows, key=lambda row: -row.gap)


def mean_score(scores: Sequence[Score]) -> Score:
    """The mean of scores."""
    return Score(*(statistics.mean(column) for column in zip(*map(values, scores), strict=True)))


def show(title: str, tasks: Sequence[Task], rows: Sequence[Row]) -> None:
    """Print a table of candidates."""
    print(f"\n{title}; balanced accuracy on {', '.join(task.text for task in tasks)}", flush=True)
    print(f"{'gap':>6} {'rank':>5} {'log-lik':>8} {'cost':>5} {'splits':>6}  change")
    for row in rows:
        numbers = " ".join(f"{value:5.1f}" for value in row.by_task)
        print(
            f"{row.gap:6.1f} {row.rank:5.1f} {row.likelihood:8.3f} {row.cost:5.1f} {row.splits:6}"
            f"  {row.change}: {numbers}",
            flush=True,
        )


def chosen(rows: Sequence[Row]) -> Row:
    """The cheapest row within the tie of the best."""
    affordable = [row for row in rows if row.cost <= DEAREST] or list(rows)
    best = max(row.gap for row in affordable)
    return min((row for row in affordable if row.gap >= best - TIE), key=lambda row: row.cost)


def search_recipe(search: Search, name: str) -> Recipe:
    """The stages of one search; returns the chosen recipe."""
    texts, start, stages = SEARCHES[name]
    tasks = parse_tasks(", ".join(texts))
    first = best = override(Recipe("", 1, 1), parse_overrides(start))
    for number, axes in enumerate(stages, 1):
        changes = [", ".join(several) for several in itertools.product(*axes)]
        candidates = {change: override(best, parse_overrides(change)) for change in changes}
        rows = compare(search, tasks, candidates, 1, first)
        show(f"{name}, stage {number}", tasks, rows)
        kept = {row.change: row.recipe for row in rows[: max(3, len(rows) // 3)]}
        kept |= {change: recipe for change, recipe in candidates.items() if recipe == best}
        rows = compare(search, tasks, kept, 3, first)
        show(f"{name}, stage {number}, the better third", tasks, rows)
        row = chosen(rows)
        best = row.recipe
        print(f"chosen: {row.change}")
    print(f"\n{name}: {recipe_text(best)}", flush=True)
    return best


def main() -> None:
    """Run the named searches."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*SEARCHES, []], help=", ".join(SEARCHES))
    parser.add_argument("--known", type=Path, help="keep every fit in this file")
    given = parser.parse_args()
    torch.set_num_threads(1)
    search = Search(given.known)
    for name in given.names or SEARCHES:
        search_recipe(search, name)


if __name__ == "__main__":
    main()
