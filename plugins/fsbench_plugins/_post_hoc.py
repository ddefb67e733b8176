"""What the strategies that correct a fitted predictor share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, Fitted, LabeledSet, Savable, Strategy, TaskInfo, param
from fsbench_plugins._held_out import skip_without, within_folds

if TYPE_CHECKING:
    import torch

Change = Callable[["torch.Tensor"], "torch.Tensor"]
"""Logits `[N, C]` to logits `[N, C]`."""


@dataclass(frozen=True)
class PostHoc(Strategy):
    """Changes logits as is best for labels that the model was not fitted on.

    They are those of the validation part, which two corrections share: the second is fitted to labels that
    the first has seen. Where a task has no such part, they are those of the training part, with predictions
    out of fold, which costs `folds` further fits; the second of two corrections also fits the first anew in
    each fold. The model is that of the same strategy without the correction.
    """

    family = "postprocessing"

    folds: int = param(3, low=2)

    @property
    def given(self) -> Change | None:
        """The change, if the arguments say it and no label is needed."""
        return None

    def correction(self, logits: torch.Tensor, targets: torch.Tensor, ctx: Context) -> Change:
        """The change that suits logits `[N, C]` and targets `[N, C]` of samples that were held out."""
        raise NotImplementedError

    @property
    def uses(self) -> frozenset[str]:
        """The validation set, unless the change is given."""
        return frozenset({"val"} if self.given is None else ())

    def skip(self, task: TaskInfo) -> str | None:
        """Unless the change is given, the strategy needs labels to hold out."""
        return None if self.given is not None else skip_without(task)

    def narrow(self, task: TaskInfo) -> TaskInfo:
        """Without a validation part, the others also run within its folds, which have fewer labels."""
        return task if self.given is not None else within_folds(task, self.folds)

    def postprocess(self, fitted: Fitted, val: LabeledSet, ctx: Context) -> Fitted:
        """The predictor, corrected on the validation set or, if there is none, out of fold."""
        if self.given is not None:
            return fitted.map(self.given)
        from fsbench_plugins._held_out import HeldOut, out_of_fold

        if len(val):
            known = HeldOut([fitted.predict(val.x)], val.targets)
        else:
            known = out_of_fold([ctx.refit], ctx.train, self.folds, ctx)
        return fitted.map(self.correction(known.logits[0], known.targets, ctx))


@dataclass(frozen=True, eq=False)
class Affine(Savable):
    """Logits `[N, C]`, times a number or numbers `[C]`, plus offsets `[C]` if there are any."""

    scale: torch.Tensor | float = 1.0
    offset: torch.Tensor | None = None

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        """The changed logits."""
        scaled = self.scale * logits
        return scaled if self.offset is None else scaled + self.offset.to(scaled)
