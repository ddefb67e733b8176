"""One strategy on the toy splits; its runs are kept, so that checks share them."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass

import numpy as np

from fsbench.composition import BASELINE, Composition
from fsbench.errors import InertComponent
from fsbench.registry import get_registry
from fsbench.strategy import Strategy
from fsbench.testing.demands import randomness_used
from fsbench.testing.toy import ToySplit
from fsbench.testing.toy_runs import QUICK_STEPS, compose, first_toy, kinds_of, quick, run_toy, toys

PATIENCE: tuple[int, ...] = (QUICK_STEPS, 40, 200)
"""The numbers of steps tried before a strategy counts as inert: some act only when the model is confident."""


@dataclass(frozen=True)
class Run:
    """Logits `[E, M, C]` and the steps that they took."""

    logits: np.ndarray
    steps: int


class Bench:
    """The runs of one strategy, a class or an instance, which is made when it is first asked for."""

    def __init__(self, subject: type[Strategy] | Strategy) -> None:
        self.subject = subject
        self._runs: dict[ToySplit, Run] = {}
        self._again: dict[ToySplit, tuple[np.ndarray, tuple[str, ...]]] = {}
        self._patience = PATIENCE

    @functools.cached_property
    def strategy(self) -> Strategy:
        """The strategy. Raises what its class raises."""
        return self.subject() if isinstance(self.subject, type) else self.subject

    @functools.cached_property
    def few(self) -> Strategy:
        """The strategy with its own steps lowered."""
        return quick(self.strategy)

    @functools.cached_property
    def alone(self) -> Composition:
        """The spec of `few` alone."""
        return compose(self.few)

    @property
    def kinds(self) -> list[str]:
        """The kinds of samples that it works on."""
        return kinds_of(self.strategy)

    def splits(self, kind: str) -> list[ToySplit]:
        """The toy splits of a kind that it does not skip."""
        return [split for split in toys(kind) if self.alone.skip(split.info) is None]

    def firsts(self) -> list[ToySplit]:
        """The first toy split of each kind that it does not skip."""
        found = (first_toy(self.alone, kind) for kind in self.kinds)
        return [split for split in found if not isinstance(split, str)]

    def run(self, split: ToySplit) -> Run:
        """The strategy alone, with the fewest steps that have an effect. Raises what the strategy raises."""
        if split not in self._runs:
            self._runs[split] = self._run(split)
        return self._runs[split]

    def _run(self, split: ToySplit) -> Run:
        for steps in self._patience:
            try:
                return Run(run_toy(self.alone, split, steps), steps)
            except InertComponent as error:
                inert = error
        self._patience = self._patience[:1]
        raise inert

    def again(self, split: ToySplit) -> tuple[np.ndarray, tuple[str, ...]]:
        """The logits of a second run like the first, and the global generators that it used.

        The first run may import modules, which may use them once.
        """
        if split not in self._again:
            steps, logits = self.run(split).steps, []
            used = randomness_used(lambda: logits.append(run_toy(self.alone, split, steps)))
            self._again[split] = logits[0], used
        return self._again[split]

    def beside(self, split: ToySplit, *components: Strategy) -> np.ndarray:
        """Logits of components that include it, after as many steps as it needs alone."""
        steps = QUICK_STEPS
        with contextlib.suppress(Exception):  # another check reports how it fails alone
            steps = self.run(split).steps
        return run_toy(compose(*components), split, steps)


@functools.cache
def baseline_logits(split: ToySplit, steps: int) -> np.ndarray:
    """Logits of the baseline on a toy split."""
    return run_toy(compose(get_registry().strategies[BASELINE]()), split, steps)
