"""What the calibrations share: scores of strategies on labels that no suite tests, each kept in a file."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score, log_loss

from fsbench.composition import Composition
from fsbench.engine.trial import run_trial
from fsbench.recipes.recipe import recipe_text
from fsbench.tasks.expressions import Task
from fsbench.tasks.splits import SplitArrays
from fsbench.testing import toy_split
from fsbench.types import Recipe

CPU = torch.device("cpu")
FIRST_SEED = 2000
_TIMED_STEPS, _TIMINGS = 10, 4

Part = tuple[SplitArrays, np.ndarray]
"""What is trained on and predicted, and the labels `[E, M]` of what is predicted."""


@dataclass(frozen=True)
class Score:
    """Balanced accuracy in percent, mean log-likelihood, and processor seconds of one fit."""

    accuracy: float
    likelihood: float
    seconds: float


def arguments(
    description: str | None, names: Collection[str], splits: int | None = None
) -> argparse.Namespace:
    """The arguments of a calibration: the `names` to run, all by default, `known`, and `splits` if given."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    parser.add_argument("--known", type=Path, help="keep every fit in this file")
    if splits is not None:
        parser.add_argument("--splits", type=int, default=splits, help="how many splits of each task")
    given = parser.parse_args()
    given.names = given.names or list(names)
    torch.set_num_threads(1)
    return given


class Scores:
    """Scores on the parts of splits, each computed once and kept in a file.

    `parts` gives the parts of a task's split seed.
    """

    def __init__(self, known: Path | None, parts: Callable[[Task, int], Iterator[Part]]) -> None:
        self.path, self.parts = known, parts
        self.known: dict[str, tuple[float, ...]] = {}
        self.drawn: dict[tuple[str, int], list[Part]] = {}
        if known is not None and known.exists():
            lines = known.read_text(encoding="utf-8").splitlines()
            self.known = {key: tuple(numbers) for key, *numbers in map(json.loads, lines)}

    def score(self, strategy: Composition, task: Task, seed: int, recipe: Recipe) -> Score:
        """The mean over the parts of a split."""

        def compute() -> tuple[float, ...]:
            if (task.text, seed) not in self.drawn:
                self.drawn[task.text, seed] = list(self.parts(task, seed))
            return astuple(mean_score([fit(strategy, recipe, *part) for part in self.drawn[task.text, seed]]))

        return Score(*self._once(f"{strategy.text} {task.text} {seed} {recipe_text(recipe)}", compute))

    def cost(self, strategy: Composition, kind: str, recipe: Recipe, first: Recipe) -> float:
        """How many times as long a recipe trains as the first one, on toy data, timed in turns."""
        split = toy_split(kind=kind)

        def timed(recipe: Recipe) -> float:
            begin = time.process_time()
            run_trial(("time",), strategy, replace(recipe, steps=_TIMED_STEPS), split, CPU)
            return (time.process_time() - begin) * recipe.steps

        def compute() -> tuple[float, ...]:
            times = [(timed(recipe), timed(first)) for _ in range(_TIMINGS)]
            return (min(ours for ours, _ in times) / min(theirs for _, theirs in times),)

        return self._once(f"cost {kind} {recipe_text(recipe)} / {recipe_text(first)}", compute)[0]

    def _once(self, key: str, compute: Callable[[], tuple[float, ...]]) -> tuple[float, ...]:
        if key not in self.known:
            self.known[key] = compute()
            if self.path is not None:
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([key, *self.known[key]]) + "\n")
        return self.known[key]


def mean_score(scores: Sequence[Score]) -> Score:
    """The mean of scores."""
    return Score(*(statistics.mean(column) for column in zip(*map(astuple, scores), strict=True)))


def fit(strategy: Composition, recipe: Recipe, part: SplitArrays, y: np.ndarray) -> Score:
    """Train on the training part, score on the test part with labels `[E, M]`."""
    begin = time.process_time()
    logits = run_trial(("calibration",), strategy, recipe, part, CPU).predictions
    seconds = time.process_time() - begin
    shares = torch.from_numpy(logits).double().softmax(-1).numpy()
    known = range(part.info.num_classes)
    pairs = list(zip(y, shares, strict=True))
    accuracy = np.mean([balanced_accuracy_score(labels, share.argmax(-1)) for labels, share in pairs])
    likelihood = -np.mean([log_loss(labels, share, labels=known) for labels, share in pairs])
    return Score(100 * float(accuracy), float(likelihood), seconds)
