"""`longtail`: from classes with many labels to classes with few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from fsbench.tasks.protocols.few_labels import FewLabels, labels_in_words, parts_in_words
from fsbench.words import plural

_ROUNDING = 1e-9
"""Larger than the rounding errors of a power, so that a whole head / ir is not truncated to one less."""


@dataclass(frozen=True)
class LongTail(FewLabels):
    """Labels that fall exponentially from the first class to the last (the profile of Cui et al. 2019).

    Class c of C has `head * ir ** (-c / (C - 1))` training labels, truncated to a whole number, at least one:
    `head` in the first class of the dataset's own order, `head / ir` in the last. Validation has the same
    profile (half as many, at least one), as it would in practice, unless `val` is given; the test part is as
    balanced as the dataset. `longtail(cifar10, ir=100, head=5000, val=0)` is CIFAR-10-LT (Cao et al. 2019,
    LDAM). Cui, Jia, Lin, Song & Belongie, "Class-balanced loss based on effective number of samples".
    """

    name: ClassVar[str] = "longtail"
    summary: ClassVar[str] = "labels fall exponentially from the first class to the last, by a ratio ir"
    shown: ClassVar[tuple[str, ...]] = ("ir",)
    most: ClassVar[str] = "head"
    cite: ClassVar[str] = (
        "Cui, Y., Jia, M., Lin, T.-Y., Song, Y. and Belongie, S. (2019). Class-balanced loss based on "
        "effective number of samples. CVPR."
    )

    ir: float = 20.0
    head: int = 40

    def check(self) -> None:
        """Raise TaskError if the ratio or the head is too small, or the head larger than a class allows."""
        self.require(self.ir >= 1, f"ir is {self.ir:g}; expected at least 1")
        self.require_at_least(1, "head")
        self.require(
            self.head >= self.ir,
            f"the last class would have {self.head}/{self.ir:g} labels; expected a head of at least ir",
        )
        self.check_counts()
        self.check_source()

    @property
    def labels(self) -> str:
        """`60 labels of the first class (40 train, 20 val) to 3 of the last (2 train, 1 val)`."""
        ends = [(n, self.val_for(n)) for n in (self._count(self.head, 0), self._count(self.head, 1))]
        if ends[0] == ends[1]:
            return labels_in_words(*ends[0])
        first, last = (parts_in_words(*each) for each in ends)
        total = sum(ends[1])
        return f"{plural(sum(ends[0]), 'label')} of the first class{first} to {total} of the last{last}"

    def counts_for(self, most: int) -> list[int]:
        """The exponential profile."""
        last = self.data.num_classes - 1
        return [self._count(most, label / last) for label in range(last + 1)]

    def _count(self, head: int, place: float) -> int:
        """The training labels of the class at a place, from 0 for the first to 1 for the last."""
        return max(1, int(head * self.ir**-place + _ROUNDING))
