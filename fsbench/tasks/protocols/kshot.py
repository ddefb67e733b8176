"""`kshot`: k labels of each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from fsbench.tasks.protocols.few_labels import FewLabels, labels_in_words


@dataclass(frozen=True)
class KShot(FewLabels):
    """`k` training labels of each class."""

    name: ClassVar[str] = "kshot"
    summary: ClassVar[str] = "k labels of each class"
    shown: ClassVar[tuple[str, ...]] = ("k",)
    nested: ClassVar[tuple[str, ...]] = ("k",)

    k: int = 5

    def check(self) -> None:
        """Raise TaskError if k or val is too small, or larger than a class allows."""
        self.require_at_least(1, "k")
        self.check_counts()
        self.check_source()

    @property
    def labels(self) -> str:
        """`7 labels per class (5 train, 2 val)`."""
        return labels_in_words(self.k, self.val_for(self.k))
