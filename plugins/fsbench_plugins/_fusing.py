"""What strategies share that combine others by how well they predict held-out labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, Fitted, LabeledSet, Strategy, TaskInfo, param, specs
from fsbench_plugins._held_out import skip_without, within_folds

if TYPE_CHECKING:
    from fsbench_plugins._held_out import HeldOut


@dataclass(frozen=True)
class Fusing(Strategy):
    """Combines the strategies that `of` names by their predictions for labels that they were not fitted on.

    The labels are those of the validation part. Without one, or if a strategy is fitted to it (as
    `temperature` is), they are those of the training part, predicted by `folds` further fits of each.
    """

    family = "fusion"
    replaces = frozenset({"fit"})

    of: str = param("erm, logistic_regression, svm", spec=True)
    folds: int = param(3, low=2)

    @property
    def uses(self) -> frozenset[str]:
        """The validation set."""
        return frozenset({"val"})

    def skip(self, task: TaskInfo) -> str | None:
        """The strategy needs labels to hold out."""
        return skip_without(task)

    def narrow(self, task: TaskInfo) -> TaskInfo:
        """Without a validation part, the members also run within folds, which have fewer labels."""
        return within_folds(task, self.folds)

    def members(self, train: LabeledSet, ctx: Context) -> tuple[HeldOut, Sequence[Callable[[], Fitted]]]:
        """The predictions of each strategy for held-out labels, and what fits it on the training set."""
        from fsbench_plugins._held_out import held_out_of_members

        return held_out_of_members(specs(self.of), train, self.folds, ctx)
