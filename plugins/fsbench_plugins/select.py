"""The best of several strategies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from fsbench import Context, Fitted, LabeledSet, Strategy, TaskInfo, param, specs
from fsbench_plugins._held_out import skip_without


@dataclass(frozen=True)
class Select(Strategy):
    """Of the strategies that `of` names, the one with the best predictions for held-out labels.

    These are those of the validation part or, without one, of the training part, predicted by `folds` further
    fits of each strategy (Stone 1974). Of those that are equally good by `metric`, it is the one that makes
    the labels likelier. The record notes the choice.
    """

    name = "select"
    cite = (
        "Stone, M. (1974). Cross-validatory choice and assessment of statistical predictions. Journal of the "
        "Royal Statistical Society B 36(2)."
    )
    family = "fusion"
    replaces = frozenset({"fit"})

    of: str = param("erm, logistic_regression, svm", spec=True)
    folds: int = param(3, low=2)
    metric: Literal["balanced_accuracy", "macro_f1", "accuracy"] = param(
        "balanced_accuracy", choices=("balanced_accuracy", "macro_f1", "accuracy")
    )

    @property
    def uses(self) -> frozenset[str]:
        """The validation set."""
        return frozenset({"val"})

    def skip(self, task: TaskInfo) -> str | None:
        """The strategy needs labels to hold out."""
        return skip_without(task)

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The chosen strategy, fitted on the whole training set."""
        from torch.nn.functional import cross_entropy

        from fsbench_plugins._fusion import fits_of
        from fsbench_plugins._held_out import held_out_of_members
        from fsbench_plugins._offsets import score

        known, members = held_out_of_members(fits_of(self.of, ctx), train, self.folds, ctx)
        y, classes = known.y.cpu().numpy(), train.num_classes

        def quality(number: int) -> tuple[float, float]:
            logits = known.logits[number]
            found = logits.argmax(-1).cpu().numpy()
            return score(y, found, classes, self.metric), -float(cross_entropy(logits, known.targets))

        best = max(range(len(members)), key=quality)
        ctx.note(f"chose {specs(self.of)[best]}")
        return members[best]()
