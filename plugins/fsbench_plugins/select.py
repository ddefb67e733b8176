"""The best of several strategies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from fsbench import Context, Fitted, LabeledSet, param, specs
from fsbench_plugins._fusing import Fusing


@dataclass(frozen=True)
class Select(Fusing):
    """Of the strategies that `of` names, the one with the best predictions for held-out labels.

    The labels are those of the validation part. Without one, or if a strategy is fitted to it (as
    `temperature` is), they are those of the training part, predicted by `folds` further fits of each (Stone
    1974). Of those that are equally good by `metric`, it is the one that makes the labels likelier. The
    record notes the choice.
    """

    name = "select"
    cite = (
        "Stone, M. (1974). Cross-validatory choice and assessment of statistical predictions. Journal of the "
        "Royal Statistical Society B 36(2)."
    )
    metric: Literal["balanced_accuracy", "macro_f1", "accuracy"] = param("balanced_accuracy")

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The chosen strategy, fitted on the whole training set."""
        from torch.nn.functional import cross_entropy

        from fsbench_plugins._offsets import score

        known, members = self.members(train, ctx)
        y, classes = known.y.cpu().numpy(), train.num_classes

        def quality(number: int) -> tuple[float, float]:
            logits = known.logits[number]
            found = logits.argmax(-1).cpu().numpy()
            return score(y, found, classes, self.metric), -float(cross_entropy(logits, known.targets))

        best = max(range(len(members)), key=quality)
        ctx.note(f"chose {specs(self.of)[best]}")
        return members[best]()
