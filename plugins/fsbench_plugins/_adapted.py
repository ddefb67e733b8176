"""What strategies share that meta-learn a start and adapt it by plain gradient steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fsbench import Context, Fitted, LabeledSet, Recipe, TaskInfo, source_problem
from fsbench_plugins._source import UsesSource

WHOLE_SET = 2**31 - 1


class Adapted(UsesSource):
    """A start that is meta-learned on episodes from the source, then `adapt_steps` plain steps at `inner_lr`.

    A subclass has these two fields and `init_model`. All labels of the task are one batch of the adaptation.
    On a `shift` task, the start is adapted only to the target labels.
    """

    family = "meta_learning"
    replaces = frozenset({"init_model"})

    inner_lr: float
    adapt_steps: int

    def skip(self, task: TaskInfo) -> str | None:
        """The strategy needs a source with enough classes of similar inputs, and labels to adapt to."""
        if source_problem(task) is None and task.source_classes < task.num_classes:
            return f"source has {task.source_classes} classes, too few for episodes of {task.num_classes}"
        return super().skip(task)

    def configure(self, recipe: Recipe, ctx: Context) -> Recipe:
        """The inner steps instead of the recipe's training."""
        return replace(
            recipe,
            optimizer="sgd",
            lr=self.inner_lr,
            backbone_lr_scale=1.0,
            momentum=0.0,
            weight_decay=0.0,
            schedule="constant",
            steps=self.adapt_steps,
            passes=0,
            batch_size=WHOLE_SET,
        )

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """Adapt, and let batch normalisation, if there is any, store the training samples' statistics."""
        from fsbench_plugins import _meta_training, _normalisation

        fitted = inner(train)
        _normalisation.require_own_statistics(fitted, ctx)
        _meta_training.keep_statistics(ctx.model, train.x)
        return fitted
