"""What the strategies that correct a fitted predictor share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, Fitted, LabeledSet, Savable, Strategy, TaskInfo, param
from fsbench_plugins._held_out import skip_without

if TYPE_CHECKING:
    import torch

Change = Callable[["torch.Tensor"], "torch.Tensor"]
"""Logits `[N, C]` to logits `[N, C]`."""


@dataclass(frozen=True)
class PostHoc(Strategy):
    """Changes logits as is best for labels that the model was not fitted on.

    They are those of the validation part. Where a task has none, they are those of the training part, with
    predictions out of fold, which costs `folds` further fits. The model is that of the same strategy without
    the correction.
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

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The fit on the whole training set, corrected out of fold if there is no validation set."""
        if self.given is not None or len(ctx.val):
            return inner(train)
        from fsbench_plugins._held_out import out_of_fold, refits

        again = refits(inner, ctx)
        fitted = inner(train)
        known = out_of_fold([again], train, self.folds, ctx)
        return fitted.map(self.correction(known.logits[0], known.targets, ctx))

    def postprocess(self, fitted: Fitted, val: LabeledSet, ctx: Context) -> Fitted:
        """The predictor, corrected on the validation set if there is one."""
        if self.given is not None:
            return fitted.map(self.given)
        return fitted.map(self.correction(fitted.predict(val.x), val.targets, ctx)) if len(val) else fitted


@dataclass(frozen=True, eq=False)
class Affine(Savable):
    """Logits `[N, C]`, times a number or numbers `[C]`, plus offsets `[C]` if there are any."""

    scale: torch.Tensor | float = 1.0
    offset: torch.Tensor | None = None

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        """The changed logits."""
        scaled = self.scale * logits
        return scaled if self.offset is None else scaled + self.offset.to(scaled)
