"""How long `fsbench leaderboard` takes on a large store, from the start of the command to its end.

    python benchmarks/records.py [--seeds 200 2000] [--tasks 20] [--strategies 25] [--format terminal]
        [--evidence 0 500]

The store has a made-up record for each of some strategies, tasks and split seeds: 100,000 and 1,000,000
records by default. With `--evidence`, it also has what a run stores for the variance of test samples: what
each split drew, and the influence of so many test samples of each trial on the metric; without it, it is as
of fsbench's first versions. Printed are the number of records, the size of the store, the seconds, and the
memory of the largest process so far.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np

from fsbench.evidence import Drawn
from fsbench.identity import full_spec, trial_key
from fsbench.metrics import DEFAULT_METRIC, METRICS
from fsbench.recipes.recipe import default_recipe, recipe_text
from fsbench.record import Record
from fsbench.registry import get_registry
from fsbench.store import Judgement, Store
from fsbench.store_file import FILE_NAME
from fsbench.tasks.expressions import parse_tasks
from fsbench.versions import installed

SAMPLES = 1797


def judgements(tasks: int, strategies: int, seeds: int, evidence: int) -> Iterator[Judgement]:
    """Results of `kshot(digits, k=...)` tasks for the baseline and focal losses with various gammas.

    `evidence` is the number of test samples of each split whose influences are stored; 0 stores none.
    """
    rng = np.random.default_rng(0)
    parts = {seed: drawn(rng, evidence) if evidence else None for seed in range(seeds)}
    for made in records(rng, tasks, strategies, seeds):
        influences = {}
        if evidence:
            influences[DEFAULT_METRIC] = rng.normal(0, 1 / evidence, evidence)
        yield Judgement(made, None, influences, parts[made.split_seed])


def drawn(rng: np.random.Generator, tested: int) -> Drawn:
    """A split of digits: a training sample and validation sample of each class, and some test samples."""
    train, val, test = np.split(rng.permutation(SAMPLES)[None, : 20 + tested], [10, 20], axis=1)
    nothing = np.zeros(0, dtype=np.int64)
    return Drawn(train, val, test, test % 10, nothing, nothing, ("digits",))


def records(rng: np.random.Generator, tasks: int, strategies: int, seeds: int) -> Iterator[Record]:
    """The records of these results."""
    registry, versions = get_registry(), installed()
    specs = ", ".join(["erm", *(f"focal(gamma={0.1 * i:.1f})" for i in range(1, strategies))])
    compositions = registry.parse(specs)
    resolution = {name: 0.002 for name, _ in METRICS.items()}
    for task in parse_tasks(f"kshot(digits, k=[{', '.join(map(str, range(1, tasks + 1)))}])"):
        recipe = default_recipe(task.info)
        written = recipe_text(recipe)
        for composition in compositions:
            identity = full_spec(registry, composition, recipe, task.info.kind)
            for seed, values in enumerate(rng.uniform(0.4, 0.8, (seeds, len(resolution)))):
                yield Record(
                    key=trial_key(task.text, seed, 0, identity, written),
                    status="ok",
                    task=task.text,
                    split_seed=seed,
                    init_seed=0,
                    spec=composition.text,
                    recipe=written,
                    full_spec=identity,
                    split_fingerprint=f"{task.text}/{seed}",
                    metrics=dict(zip(resolution, values.tolist(), strict=True)),
                    resolution=resolution,
                    train_accuracy=float(values[0]),
                    n_train=10,
                    n_test=500,
                    seconds_fit=float(values[1]),
                    seconds_predict=0.01,
                    peak_memory=500_000_000 + seed,
                    device="a processor",
                    versions=versions,
                    created="2026-01-01T00:00:00+00:00",
                    isolation="trial",
                )


def measure(folder: Path, style: str) -> tuple[float, float, float]:
    """Wall-clock seconds, processor seconds and megabytes of one `fsbench leaderboard` of a folder."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = ["leaderboard"] if style == "terminal" else ["report", "--format", style, "--output", "-"]
    command = [sys.executable, "-m", "fsbench", *command, "--results", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, busy, after.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def main() -> None:
    """Print a line for each number of influences and of seeds, in ascending order."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--strategies", type=int, default=25)
    parser.add_argument("--seeds", type=int, nargs="+", default=[200, 2000])
    parser.add_argument("--format", default="terminal")
    parser.add_argument("--evidence", type=int, nargs="+", default=[0, 500])
    asked = parser.parse_args()
    for evidence, seeds in product(sorted(asked.evidence), sorted(asked.seeds)):
        with tempfile.TemporaryDirectory() as name:
            with Store(name) as store:
                store.commit_all(judgements(asked.tasks, asked.strategies, seeds, evidence))
            size = (Path(name) / FILE_NAME).stat().st_size / 1e6
            wall, busy, memory = measure(Path(name), asked.format)
            count = asked.tasks * asked.strategies * seeds
            print(
                f"{count:,} records, {evidence} influences each ({size:.0f} MB): {wall:.2f} s "
                f"(processor {busy:.2f} s), {memory:.0f} MB of memory",
                flush=True,
            )


if __name__ == "__main__":
    main()
