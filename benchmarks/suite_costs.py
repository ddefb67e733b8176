"""What ERM costs on a suite, in reference loops, for the line `cost` of the suite's file.

    python benchmarks/suite_costs.py kshot-v1 [NAME ...] [--write]

Runs ERM on one split of each kind of task for a few steps, twice, and extends the line through both
to the steps of the recipe; predictions are scaled from the test samples that were timed to those there
are. What a dataset shows does not matter, so random images stand in for those that are absent.
One worker of one thread. The sum over all tasks is divided by the seconds of the reference loop
(`fsbench.cli.estimate`), timed before and after every run. `--write` puts the cost into the files.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import tempfile
from pathlib import Path

import numpy as np

import fsbench
from fsbench.cli.estimate import reference_seconds
from fsbench.data.catalogue import image_sets
from fsbench.data.files import DATA_DIR, data_dir
from fsbench.data.suites import Suite, load_suite
from fsbench.data.tasks import Task
from fsbench.engine.recipe import default_recipe, override, parse_overrides

FOLDER = Path(__file__).parents[1] / "fsbench" / "suites"
STEPS = 4, 16
LONG = 86400.0
STAND_IN_TEST = 512

# The sizes of the official test parts of what may be absent.
TESTS = {
    "mnist": 10000, "fashion_mnist": 10000, "usps": 2007, "svhn": 26032, "cifar10": 10000, "cifar100": 10000,
    "cifair10": 10000, "bloodmnist": 3421, "breastmnist": 156, "dermamnist": 2005, "octmnist": 1000,
    "organamnist": 17778, "organcmnist": 8216, "organsmnist": 8827, "pathmnist": 7180, "pneumoniamnist": 624,
    "retinamnist": 400, "tissuemnist": 47280,
}  # fmt: skip


def stand_in(name: str, folder: Path) -> None:
    """Write random images in the shape of a dataset, as many of each class as any suite takes."""
    about = image_sets()[name]
    channels, *sides = about.shape
    per_class = {"cifar10": 5000, "cifar100": 500, "svhn": 5000}.get(name, 100)
    rng = np.random.default_rng(0)
    parts = {}
    for part, count in (("train", per_class * about.num_classes), ("test", STAND_IN_TEST)):
        parts[f"x_{part}"] = rng.integers(0, 256, (count, *sides, channels), dtype=np.uint8)
        parts[f"y_{part}"] = np.arange(count) % about.num_classes
    np.savez(folder / f"{name}.npz", **parts)


def provide(suites: list[Suite], folder: Path) -> None:
    """Make `folder` the data folder: links to the files that are here, stand-ins for what is missing."""
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


def seconds(task: Task, suite: Suite, results: str) -> float:
    """What ERM takes on one split of a task, from two short runs."""
    recipe = override(default_recipe(task.info), parse_overrides(suite.recipe))
    records = []
    for steps in STEPS:
        done = fsbench.run(
            "erm",
            tasks=task.text,
            seeds=1,
            jobs=1,
            device="cpu",
            timeout=LONG,
            results=results,
            recipe=parse_overrides(suite.recipe) | {"steps": steps},
        )
        if done.failures:
            raise SystemExit(f"{task.text}: {done.failures[0].reason}")
        records.append(done.records[0])
    short, long = records
    slope = (long.seconds_fit - short.seconds_fit) / (STEPS[1] - STEPS[0])
    n_test = TESTS.get(task.protocol.datasets[-1 if task.info.protocol == "shift" else 0].partition("(")[0])
    scale = n_test / long.n_test if n_test else 1.0
    predict = statistics.mean(record.seconds_predict for record in records) * scale
    return short.seconds_fit + slope * (recipe.steps - STEPS[0]) + predict


def loop_seconds() -> float:
    """The reference loop, timed now."""
    reference_seconds.cache_clear()
    return reference_seconds()


def cost(suite: Suite) -> float:
    """What ERM costs on one split of all tasks of a suite, in reference loops; prints each kind of task."""
    known: dict[tuple[object, ...], float] = {}
    total = 0.0
    with tempfile.TemporaryDirectory() as results:
        for task in suite.parse():
            if kind(task) not in known:
                before = loop_seconds()
                took = seconds(task, suite, results)
                known[kind(task)] = took / statistics.mean((before, loop_seconds()))
                print(f"  {task.text}: {took:.1f} s, {known[kind(task)]:.0f} loops", flush=True)
            total += known[kind(task)]
    return total


def write(name: str, value: int) -> None:
    """Put a cost into the file of a suite, after its split seeds."""
    path = FOLDER / f"{name}.toml"
    text = re.sub(r"^cost = .*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    path.write_text(
        re.sub(r"^(split_seeds = .*\n)", rf"\1cost = {value}\n", text, flags=re.MULTILINE), "utf-8"
    )


def main() -> None:
    """Measure every suite named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="+", metavar="NAME", help="a suite")
    parser.add_argument("--write", action="store_true", help="write the cost into the suite's file")
    given = parser.parse_args()
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
