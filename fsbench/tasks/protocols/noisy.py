"""`noisy`: some labels are wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from fsbench.rng import generator
from fsbench.tasks.drawing import pool_count
from fsbench.tasks.protocols.few_labels import FewLabels, labels_in_words


@dataclass(frozen=True)
class Noisy(FewLabels):
    """`k` labels of each class, of which `round(rate * k)` are wrong.

    `symmetric` noise gives another class, each with the same probability; `asymmetric` noise gives the next
    class, and the first one for the last. The validation labels have the same noise, because in practice
    there are no others; the labels of the test part are right.

    A wrong label is the same at every k and rate. The samples with wrong labels at a lower rate are among
    those at a higher one. At another k they are the same except for as few as the exact numbers allow:
    samples become wrong in the order of van der Corput's sequence, every beginning of which is spread evenly
    (the samples themselves are in random order).
    """

    name: ClassVar[str] = "noisy"
    summary: ClassVar[str] = "k labels of each class, a fraction of them wrong"
    shown: ClassVar[tuple[str, ...]] = ("k", "rate")
    nested: ClassVar[tuple[str, ...]] = ("k",)

    k: int = 20
    rate: float = 0.4
    kind: Literal["symmetric", "asymmetric"] = "symmetric"

    def check(self) -> None:
        """Raise TaskError if the rate is outside [0, 1), or a class does not allow k."""
        self.require_at_least(1, "k")
        self.require(0 <= self.rate < 1, f"rate is {self.rate:g}; expected at least 0 and less than 1")
        wrong = round(self.rate * self.k)
        self.require(
            self.rate == 0 or 0 < wrong < self.k,
            f"rate is {self.rate:g} and k is {self.k}, so {wrong} of {self.k} labels of a class would be "
            "wrong; expected some wrong and some right ones: choose another rate or a larger k",
        )
        self.check_counts()
        self.check_source()

    @property
    def labels(self) -> str:
        """`7 labels per class (5 train, 2 val)`."""
        return labels_in_words(self.k, self.val_for(self.k))

    def is_balanced(self) -> bool:
        """False for symmetric noise, which gives some classes more labels than others."""
        return self.kind == "asymmetric" or self.rate == 0

    def given_labels(self, label: int, n: int, *key: object) -> np.ndarray:
        """The labels with the exact number of wrong ones, whose classes are random."""
        classes = self.data.num_classes
        rng = generator("noise", label, *key)
        step = 1 if self.kind == "asymmetric" else rng.integers(1, classes, pool_count(self.data, label))[:n]
        wrong = np.zeros(n, dtype=np.int64)
        wrong[np.argsort(_van_der_corput(n))[: round(self.rate * n)]] = 1
        return (label + wrong * step) % classes


def _van_der_corput(n: int) -> np.ndarray:
    """The first n numbers of van der Corput's sequence in base 2: the digits of 0, 1, 2, ... mirrored."""
    numbers = np.arange(n)
    places = np.arange(max(1, n).bit_length())
    mirrored: np.ndarray = ((numbers[:, None] >> places & 1) * 0.5 ** (places + 1)).sum(1)
    return mirrored
