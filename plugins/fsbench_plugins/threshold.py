"""Decision thresholds for a metric, or for costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fsbench import Context, TaskInfo, param
from fsbench_plugins._post_hoc import Affine, Change, PostHoc

if TYPE_CHECKING:
    import torch

Aim = Literal["balanced_accuracy", "macro_f1", "accuracy"]


@dataclass(frozen=True)
class Threshold(PostHoc):
    """Adds an offset to each class's logit, so that decisions are best by a metric or for given costs.

    `metric` is the one that the decisions on held-out labels maximise: those of the validation part or,
    without one, of the training part, predicted by `folds` further fits. With two classes, this is a
    threshold on the probability (Zou et al. 2016); with more, offsets are chosen class after class, twice.
    Of equally good ones, the one nearest to none is taken; a class without a held-out label has none.

    `cost`, for two classes, says how many times worse it is to miss a sample of class 1 than to take one of
    class 0 for it. The best threshold then follows from the probabilities, `1 / (1 + cost)`, and no label is
    needed (Elkan 2001).
    """

    name = "threshold"
    results_version = "4"
    cite = (
        "Zou, Q., Xie, S., Lin, Z., Wu, M. and Ju, Y. (2016). Finding the best classification threshold in "
        "imbalanced classification. Big Data Research 5. Costs: Elkan, C. (2001). The foundations of "
        "cost-sensitive learning. IJCAI."
    )

    metric: Aim = param("balanced_accuracy")
    cost: float | None = param(None, low=1e-6)

    def skip(self, task: TaskInfo) -> str | None:
        """A cost is only for two classes."""
        if self.cost is not None and task.num_classes != 2:
            return f"cost={self.cost} is for two classes, not {task.num_classes}"
        return super().skip(task)

    @property
    def given(self) -> Change | None:
        """The offset that follows from the cost."""
        if self.cost is None:
            return None
        import torch

        return Affine(1.0, torch.tensor([0.0, math.log(self.cost)]))

    def correction(self, logits: torch.Tensor, targets: torch.Tensor, ctx: Context) -> Change:
        """The offsets that are best for the metric."""
        import torch

        from fsbench_plugins._offsets import best_offsets

        found = best_offsets(logits.double().cpu().numpy(), targets.argmax(-1).cpu().numpy(), self.metric)
        return Affine(1.0, torch.from_numpy(found).to(logits))
