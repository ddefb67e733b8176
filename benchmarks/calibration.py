"""What the calibrations share: scores of strategies on labels that no suite tests, each kept in a file."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score, log_loss

from fsbench.composition import Composition
from fsbench.engine.trial import run_trial
from fsbench.recipes.recipe import recipe_text
from fsbench.tasks.expressions import Task
from fsbench.tasks.splits import SplitArrays
from fsbench.types import Recipe

CPU = torch.device("cpu")
FIRST_SEED = 1000

Part = tuple[SplitArrays, np.ndarray]
"""What is trained on and predicted, and the labels `[E, M]` of what is predicted."""


@dataclass(frozen=True)
class Score:
    """Balanced accuracy in percent, mean log-likelihood, and processor seconds of one fit."""

    accuracy: float
    likelihood: float
    seconds: float


class Scores:
    """Scores on the parts of splits, each computed once and kept in a file.

    `parts` gives the parts of a task's split seed.
    """

    def __init__(self, known: Path | None, parts: Callable[[Task, int], Iterator[Part]]) -> None:
        self.path, self.parts = known, parts
        self.known: dict[str, Score] = {}
        self.drawn: dict[tuple[str, int], list[Part]] = {}
        if known is not None and known.exists():
            lines = known.read_text(encoding="utf-8").splitlines()
            self.known = {key: Score(*numbers) for key, *numbers in map(json.loads, lines)}

    def score(self, strategy: Composition, task: Task, seed: int, recipe: Recipe) -> Score:
        """The mean over the parts of a split."""
        key = f"{strategy.text} {task.text} {seed} {recipe_text(recipe)}"
        if key not in self.known:
            if (task.text, seed) not in self.drawn:
                self.drawn[task.text, seed] = list(self.parts(task, seed))
            found = mean_score([fit(strategy, recipe, *part) for part in self.drawn[task.text, seed]])
            self.known[key] = found
            if self.path is not None:
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([key, *astuple(found)]) + "\n")
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
