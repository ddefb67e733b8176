"""How many test rows of a suite's tables equal a training row.

    python -m benchmarks.equal_rows SUITE

For each task of tables, a line shows how many of the rows of a test part equal a row of its training part in
all features, as the mean over the split seeds of the suite, how many rows the table has, and how many of them
differ. Tasks without such rows are left out.
"""

from __future__ import annotations

import sys

import numpy as np

from fsbench import load_dataset
from fsbench.tasks.expressions import Task, parse_tasks
from fsbench.tasks.splits import draw_split
from fsbench.tasks.suites import load_suite


def share(task: Task, seeds: int, rows: np.ndarray) -> float:
    """The mean percentage over the split seeds; `rows [N]` numbers the different rows of the table."""
    splits = [draw_split(task, seed) for seed in range(seeds)]
    equal = [np.isin(rows[split.test.index], rows[split.train.index]).mean() for split in splits]
    return 100 * float(np.mean(equal))


def main() -> None:
    """Print a line for each task, the largest percentage first."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    suite = load_suite(sys.argv[1])
    found = []
    for task in parse_tasks(", ".join(suite.tasks)):
        if task.info.kind == "table":
            table = load_dataset(task.protocol.datasets[0]).x
            unique, rows = np.unique(table, axis=0, return_inverse=True)
            equal = share(task, suite.split_seeds, rows.ravel())
            found.append((equal, len(table), len(unique), task.text))
    for equal, number, different, text in sorted(found, reverse=True):
        if equal:
            print(f"{equal:5.1f} %  {number:5} rows, {different:5} different  {text}")
    print(f"{sum(not equal for equal, *_ in found)} of {len(found)} tables without such rows")


if __name__ == "__main__":
    main()
