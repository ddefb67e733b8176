"""`noisy`: some labels are wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from fsbench.data.protocols.few_labels import FewLabels


@dataclass(frozen=True)
class Noisy(FewLabels):
    """`k` labels of each class, of which `round(rate * k)` are wrong.

    `symmetric` noise gives another class, each with the same probability; `asymmetric` noise gives
    the next class, and the first one for the last. The validation labels have the same noise, because
    somebody with noisy labels has no others; the labels of the test part are right.
    """

    name: ClassVar[str] = "noisy"
    summary: ClassVar[str] = "k labels of each class, a share of them wrong"
    shown: ClassVar[tuple[str, ...]] = ("k", "rate")

    k: int = 20
    rate: float = 0.4
    kind: Literal["symmetric", "asymmetric"] = "symmetric"

    def check(self) -> None:
        """Raise TaskError if the rate is outside [0, 1), or k is not what a class allows."""
        self.require_at_least(1, "k")
        self.require(0 <= self.rate < 1, f"rate is {self.rate:g}; expected at least 0 and less than 1")
        self.check_counts("k")
        self.check_source()

    def train_counts(self) -> list[int]:
        """k of each class."""
        return [self.k] * self.data.num_classes

    def is_balanced(self) -> bool:
        """Symmetric noise gives some classes more labels than others."""
        return self.kind == "asymmetric" or self.rate == 0

    def relabel(self, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The labels with the exact number of wrong ones, which samples these are is random."""
        classes = self.data.num_classes
        wrong = rng.permutation(len(y))[: round(self.rate * len(y))]
        step = 1 if self.kind == "asymmetric" else rng.integers(1, classes, len(wrong))
        given = y.copy()
        given[wrong] = (y[wrong] + step) % classes
        return given
