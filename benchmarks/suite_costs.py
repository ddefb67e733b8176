"""The cost of ERM on a suite, in reference loops, for the line `cost` of the suite's file.

    python benchmarks/suite_costs.py kshot-v1 [NAME ...] [--write]

Trains ERM on one split of each kind of task for two numbers of steps, and predicts two numbers of test
samples. Linear extrapolation gives the time for all steps of the recipe, and for predicting all test samples
and all training samples once. The content of images does not matter, so random images replace datasets that
are absent. One thread is used, and processor time is measured instead of wall-clock time, so that other
programs have little effect. The sum over all tasks is divided by the time of the reference loop
(`fsbench.cli.estimate`), taken around every task. `--write` puts the cost into the files.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from fsbench.cli.estimate import time_loop
from fsbench.datasets.about import image_sets
from fsbench.datasets.files import DATA_DIR, data_dir
from fsbench.engine.trial import run_trial
from fsbench.recipes.recipe import task_recipe
from fsbench.registry import get_registry
from fsbench.tasks.expressions import Task
from fsbench.tasks.splits import SplitArrays, draw_split, materialise, open_split
from fsbench.tasks.suites import Suite, load_suite

FOLDER = Path(__file__).parents[1] / "fsbench" / "suites"
CPU = torch.device("cpu")
STEPS = 3, 15
TRAINED = 256
FEW_TESTED, MANY_TESTED = 5, 205
CELLS = 5
REPEATS = 2
LONG = 2.0
STAND_IN_TEST = 512

# The sizes of the official test parts of datasets that may be absent.
TESTS = {
    "mnist": 10000, "fashion_mnist": 10000, "usps": 2007, "svhn": 26032, "cifar10": 10000, "cifar100": 10000,
    "cifair10": 10000, "bloodmnist": 3421, "breastmnist": 156, "dermamnist": 2005, "octmnist": 1000,
    "organamnist": 17778, "organcmnist": 8216, "organsmnist": 8827, "pathmnist": 7180, "pneumoniamnist": 624,
    "retinamnist": 400, "tissuemnist": 47280,
}  # fmt: skip


def stand_in(name: str, folder: Path) -> None:
    """Write random images in the shape of a dataset, with as many of each class as any suite needs."""
    about = image_sets()[name]
    channels, *sides = about.shape
    per_class = {"cifar10": 5000, "cifar100": 500, "svhn": 5000}.get(name, 100)
    rng = np.random.default_rng(0)
    parts = {}
    for part, count in (("train", per_class * about.num_classes), ("test", STAND_IN_TEST)):
        parts[f"x_{part}"] = rng.integers(0, 256, (count, *sides, channels), dtype=np.uint8)
        parts[f"y_{part}"] = np.arange(count) % about.num_classes
    np.savez(folder / f"{name}.npz", **parts)
    # Random images are not what a known fingerprint is about.
    vars(about)["fingerprints"] = {}


def provide(suites: list[Suite], folder: Path) -> None:
    """Make `folder` the data folder: links to the files on this machine, random images for others."""
    here = data_dir()
    missing = {name for suite in suites for name in suite.missing()}
    for file in here.glob("*.npz") if here.is_dir() else ():
        (folder / file.name).symlink_to(file.resolve())
    for name in sorted(missing):
        stand_in(name, folder)
    os.environ[DATA_DIR] = str(folder)


def kind(task: Task) -> tuple[object, ...]:
    """What the time of a task depends on."""
    protocol = task.protocol
    return protocol.name, protocol.datasets, getattr(protocol, "way", 0), getattr(protocol, "shot", 0)


def seconds(task: Task, suite: Suite) -> float:
    """The processor time of ERM on one split of a task."""
    recipe = task_recipe(task.info, suite.recipe)
    (erm,) = get_registry().parse("erm")
    with tempfile.TemporaryDirectory() as folder:
        split = open_split(materialise(task, draw_split(task, 0), Path(folder) / "split").path)
        cells, trained = split.train_y.shape
        tested = min(MANY_TESTED, split.test_x.shape[1])

        def timed(steps: int, samples: int) -> float:
            part = first(split, min(cells, CELLS), samples)
            begin = time.process_time()
            run_trial(("cost",), erm, replace(recipe, steps=steps), part, CPU)
            return time.process_time() - begin

        timed(STEPS[0], tested)
        base, longer, more = (
            quickest(timed, *each)
            for each in ((STEPS[0], FEW_TESTED), (STEPS[1], FEW_TESTED), (STEPS[0], tested))
        )
    a_step = (longer - base) / (STEPS[1] - STEPS[0])
    a_sample = max(0.0, (more - base) / (tested - FEW_TESTED))
    name = task.protocol.datasets[-1 if task.info.protocol == "shift" else 0].partition("(")[0]
    predicted = TESTS.get(name, split.test_x.shape[1]) + max(0, trained - TRAINED)
    total = base + a_step * (recipe.steps - STEPS[0]) + a_sample * predicted
    return total * cells / min(cells, CELLS)


def quickest(timed: Callable[[int, int], float], steps: int, samples: int) -> float:
    """The time of a training; if it is short, the minimum of several."""
    times = [timed(steps, samples)]
    times += [timed(steps, samples) for _ in range(REPEATS if times[0] < LONG else 0)]
    return min(times)


def first(split: SplitArrays, cells: int, tested: int) -> SplitArrays:
    """The first cells of a split, with their first samples; without source and unlabelled data."""
    names = ("train_x", "train_y", "val_x", "val_y")
    parts = {name: getattr(split, name)[:cells, :TRAINED] for name in names}
    return SplitArrays(split.info, **parts, test_x=split.test_x[:cells, :tested])


def cost(suite: Suite) -> float:
    """The cost of ERM on one split of every task of a suite, in reference loops; prints each kind of task."""
    known: dict[tuple[object, ...], float] = {}
    total = 0.0
    for task in suite.parse():
        if kind(task) not in known:
            before = time_loop(time.process_time)
            took = seconds(task, suite)
            loop = (before + time_loop(time.process_time)) / 2
            known[kind(task)] = took / loop
            print(f"  {task.text}: {took:.1f} s, {took / loop:.0f} loops", flush=True)
        total += known[kind(task)]
    return total


def write(name: str, value: int) -> None:
    """Write the cost into the file of a suite, after its split seeds."""
    path = FOLDER / f"{name}.toml"
    text = re.sub(r"^cost = .*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    path.write_text(
        re.sub(r"^(split_seeds = .*\n)", rf"\1cost = {value}\n", text, flags=re.MULTILINE), "utf-8"
    )


def main() -> None:
    """Measure the named suites."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="+", metavar="NAME", help="a suite")
    parser.add_argument("--write", action="store_true", help="write the cost into the suite's file")
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        suites = [load_suite(name) for name in given.names]
        provide(suites, Path(folder))
        for suite in suites:
            print(suite.name)
            value = round(float(f"{cost(suite):.2g}"))
            print(f"{suite.name}: cost = {value}")
            if given.write:
                write(suite.name, value)


if __name__ == "__main__":
    main()
