"""How long a suite will take on this machine: its measured cost times the speed of this machine.

The file of a suite contains its cost, which `benchmarks/suite_costs.py` measured in reference loops, so that
it does not depend on the speed of that machine. The loop is timed again here. It trains a small perceptron
with numpy on one core, because importing torch for an estimate would take too long. The estimate does not
consider a GPU, or what a strategy costs beyond ERM.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

from fsbench.executors.local import default_workers
from fsbench.tasks.suites import Suite

_REPEATS = 5
_STEPS = 8


@functools.cache
def reference_seconds() -> float:
    """The seconds of one reference loop on one core; measured once in a process."""
    return time_loop(time.perf_counter)


def time_loop(clock: Callable[[], float]) -> float:
    """The time of the reference loop by a clock in seconds, the best of five."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return min(_reference_loop(clock) for _ in range(_REPEATS))


def suite_seconds(suite: Suite) -> float | None:
    """The seconds of ERM on all tasks and split seeds of a suite on all cores; None if unmeasured."""
    if suite.cost is None:
        return None
    return suite.cost * suite.split_seeds * reference_seconds() / default_workers("cpu")


def _reference_loop(clock: Callable[[], float]) -> float:
    import numpy as np

    rng = np.random.default_rng(0)
    x = rng.standard_normal((256, 512), dtype=np.float32)
    y = np.eye(10, dtype=np.float32)[rng.integers(0, 10, 256)]
    first = rng.standard_normal((512, 256), dtype=np.float32) / 32
    last = rng.standard_normal((256, 10), dtype=np.float32) / 16
    begin = clock()
    for _ in range(_STEPS):
        hidden = np.maximum(x @ first, 0)
        scores = np.exp(hidden @ last)
        error = scores / scores.sum(1, keepdims=True) - y
        back = (error @ last.T) * (hidden > 0)
        last -= 1e-4 * (hidden.T @ error)
        first -= 1e-4 * (x.T @ back)
    return clock() - begin
