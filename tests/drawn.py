"""Splits of every protocol, for the tests of drawing and of writing splits."""

from __future__ import annotations

from fsbench.tasks.drawing import Split
from fsbench.tasks.expressions import Task, parse_tasks
from fsbench.tasks.splits import draw_split

SHIFT = "shift(mnist5k(size=8), digits)"
EVERY = [
    "kshot(digits, k=3, source=mnist5k(size=8))",
    "kshot(wine, k=4)",
    "longtail(digits, ir=10)",
    "noisy(digits, k=10, rate=0.3)",
    f"{SHIFT[:-1]}, k=2)",
    "episodes(glyphs(size=8), way=3, shot=2, n=4)",
    "longtail(digits, ir=10, unlabeled=all)",
    "noisy(digits, k=10, rate=0.3, unlabeled=60)",
]


def task(text: str) -> Task:
    """The only task that a text names."""
    (only,) = parse_tasks(text)
    return only


def draw(text: str, seed: int = 0) -> Split:
    """A draw of the task of a text."""
    return draw_split(task(text), seed)
