"""How long strategies with a budget of their own should train, from where their curves flatten.

    python -m benchmarks.calibrate_budgets [NAME ...] [--splits 3] [--known FILE]

Each strategy is trained with several budgets on tasks and split seeds (from 2000) that no suite has, and
scored on samples that its split does not use: neither its training and validation parts nor its test part. Of
the budgets whose mean balanced accuracy is within one point of the best, the cheapest is the default, unless
a later remark in docs/calibration.md says otherwise. The cost is a multiple of the time of ERM. `--known`
keeps every fit in a file, so that an interrupted calibration goes on where it was. On `episodes`, samples are
those of validation classes, held out of the source; `NAME_on_omniglot` needs `omniglot` on this machine.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from benchmarks.calibration import FIRST_SEED, Part, Score, Scores, arguments, mean_score
from fsbench.datasets.known import load_dataset
from fsbench.kinds import get_kind
from fsbench.recipes.recipe import task_recipe
from fsbench.registry import get_registry
from fsbench.rng import generator
from fsbench.tasks import parts
from fsbench.tasks.drawing import Rows
from fsbench.tasks.expressions import Task, parse_tasks
from fsbench.tasks.splits import SplitArrays, draw_split, materialise, open_split, take

MOST_SCORED = 500
CLOSE = 1.0

FROM_SOURCE = (
    "kshot(mnist5k(size=8), k=5, source=digits)",
    "kshot(digits, k=5, source=glyphs(size=8))",
    "kshot(digits, k=3, source=mnist5k(size=8))",
)
LARGE_SOURCE = "episodes(omniglot, n=40, shot=1, way=5)", "episodes(omniglot, n=10, shot=1, way=20)"
SHIFTS = ("shift(digits, mnist5k(size=8))", "shift(mnist5k(size=8), digits, share=0.25)")
FEW_LABELS = "kshot(digits, k=5)", "kshot(mnist5k(size=8), k=5)", "kshot(breast_cancer, k=5)"
AUGMENTED = *FEW_LABELS[:2], "longtail(digits, ir=20)"
UNLABELLED = "kshot(digits, k=5, unlabeled=all)", SHIFTS[1]
ADAPTING = 250, 500, 1000
CURVES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "transfer": (FROM_SOURCE, tuple(f"transfer(source_steps={n})" for n in (150, 300, 600, 1000, 2000))),
    "protonet": (FROM_SOURCE, tuple(f"protonet(meta_steps={n})" for n in (200, 300, 600))),
    "matching": (FROM_SOURCE, tuple(f"matching(meta_steps={n})" for n in (50, 100, 200))),
    "r2d2": (FROM_SOURCE, tuple(f"r2d2(meta_steps={n})" for n in (50, 100, 200))),
    "maml": (FROM_SOURCE, tuple(f"maml(meta_steps={n})" for n in (60, 80, 120))),
    "jacobian": (FEW_LABELS, tuple(f"jacobian(every={n})" for n in (1, 2, 4, 8))),
    "dann": (SHIFTS, tuple(f"dann(steps={n})" for n in (500, 1000, 2000, 4000))),
    "cdan": (SHIFTS, tuple(f"cdan(steps={n})" for n in (500, 750, 1000))),
    "reptile": (FROM_SOURCE, tuple(f"reptile(meta_steps={n})" for n in (15, 30, 60))),
    **{
        f"{name}_on_omniglot": (LARGE_SOURCE, tuple(f"{name}(source_passes={n})" for n in range(most + 1)))
        for name, most in {"protonet": 2, "matching": 2, "r2d2": 2, "maml": 1, "reptile": 1}.items()
    },
    **{name: (SHIFTS, tuple(f"{name}(steps={n})" for n in ADAPTING)) for name in ("coral", "mmd", "mcc")},
    **{
        name: (UNLABELLED, tuple(f"{name}(steps={n})" for n in (100, 200, 400)))
        for name in ("fixmatch", "mean_teacher", "pseudo_label", "vat")
    },
    **{
        name: (AUGMENTED, tuple(f"{name}(steps={n})" for n in (100, 200, 400, 800)))
        for name in ("augmentation", "randaugment", "trivialaugment")
    },
    **{
        name: (UNLABELLED, tuple(f"{name}(pretext_steps={n})" for n in (75, 150, 300)))
        for name in ("autoencoder", "simclr")
    },
}
"""For each strategy, the tasks and the specs."""


def unused(task: Task, seed: int) -> Iterator[Part]:
    """A split whose test part is replaced by samples that it does not use."""
    if task.info.protocol == "episodes":
        yield validation_episodes(task, seed)
        return
    split, kind = draw_split(task, seed), get_kind(task.info.kind)
    datasets = [load_dataset(text) for text in task.protocol.datasets]
    number = int(split.test.origin.flat[0])
    target = datasets[number]
    parts = [split.train, split.val, split.test]
    taken = [part.index[part.origin == number] for part in parts]
    rest = np.setdiff1d(np.arange(len(target.y)), np.concatenate([index.ravel() for index in taken]))
    rest = generator("unused", seed).permutation(rest)[:MOST_SCORED]

    def gather(rows: Rows) -> np.ndarray:
        return np.stack(
            [datasets[o].x[i] for o, i in zip(rows.origin.ravel(), rows.index.ravel(), strict=True)]
        )

    train_x = gather(split.train)[None]
    opened = kind.fit(train_x, target.info)
    part = SplitArrays(
        task.info,
        train_x=opened(train_x),
        train_y=split.train.y,
        val_x=opened(gather(split.val)[None]),
        val_y=split.val.y,
        test_x=opened(target.x[rest][None]),
        train_domain=split.train.origin if task.info.protocol == "shift" else None,
        unlabeled_x=None if split.unlabeled is None else opened(gather(split.unlabeled)[None])[0],
        source_x=None if split.source is None else opened(gather(split.source)[None])[0],
        source_y=None if split.source is None else split.source.y,
    )
    yield part, target.y[rest][None]


def validation_episodes(task: Task, seed: int) -> Part:
    """Episodes of classes that are held out of the source, as a search has them."""
    part, split = take(task, draw_split(task, seed), seed, parts.Part(fold=0))
    with tempfile.TemporaryDirectory() as folder:
        sealed = materialise(part, split, Path(folder) / "split")
        opened = open_split(sealed.path)
        read = {f.name: getattr(opened, f.name) for f in fields(opened) if f.name != "info"}
        copied = {name: np.array(array) for name, array in read.items() if array is not None}
    return replace(opened, **copied), sealed.test_y


def curve(scores: Scores, name: str, splits: int) -> None:
    """Print the curve of a strategy."""
    texts, specs = CURVES[name]
    tasks = parse_tasks(", ".join(texts))
    print(f"\n# {name}: {', '.join(texts)}\n{'mean':>6} {'cost':>6}  by task", flush=True)
    plain = [mean(scores, "erm", task, splits) for task in tasks]
    rows = []
    for spec in ("erm", *specs):
        by_task = [mean(scores, spec, task, splits) for task in tasks]
        cost = statistics.median(a.seconds / b.seconds for a, b in zip(by_task, plain, strict=True))
        accuracy = statistics.mean(score.accuracy for score in by_task)
        numbers = " ".join(f"{score.accuracy:5.1f}" for score in by_task)
        print(f"{accuracy:6.1f} {cost:6.1f}  {numbers}  {spec}", flush=True)
        if spec != "erm":
            rows.append((accuracy, cost, spec))
    best = max(accuracy for accuracy, _, _ in rows)
    close = [row for row in rows if row[0] >= best - CLOSE]
    print(f"within a point of the best, the cheapest: {min(close, key=lambda row: row[1])[2]}", flush=True)


def mean(scores: Scores, spec: str, task: Task, splits: int) -> Score:
    """The mean over the first splits of a task."""
    (strategy,) = get_registry().parse(spec)
    recipe = task_recipe(task.info)
    return mean_score([scores.score(strategy, task, FIRST_SEED + i, recipe) for i in range(splits)])


def main() -> None:
    """Print the named curves."""
    given = arguments(__doc__, CURVES, splits=3)
    scores = Scores(given.known, unused)
    for name in given.names:
        curve(scores, name, given.splits)


if __name__ == "__main__":
    main()
