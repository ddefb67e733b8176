"""What classifiers that compare samples with a support set share: an embedding meta-trained on episodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, Fitted, FsbenchError, LabeledSet, param
from fsbench_plugins._source import UsesSource, matched_source, steps_over

if TYPE_CHECKING:
    from torch import nn

    from fsbench_plugins._episodes import Rule

MOST_SHOTS = 5


@dataclass(frozen=True)
class Episodic(UsesSource):
    """A body that is meta-trained on episodes from the source, and a rule that compares features.

    The body is trained on `meta_steps` episodes, one per step, or on as many as have `source_passes` times
    as many samples as the source, if that is more: `train_way` classes, `shot` support samples per class
    (`none`: as many as the task has labels, at most 5) and `queries` queries per class, whose logits the rule
    gives. Adam starts at `meta_lr`, which falls to zero along a cosine; with `halve_every` it is halved every
    so many episodes, as in Snell et al. (2017). Nothing is trained on the task. A source with fewer classes
    lowers `train_way`, one with fewer samples lowers `shot` and `queries`; the record notes this.

    Losses, auxiliary losses and augmentations of other components act in the episodes; augmentation changes
    the support, never the queries. A start from other components (`transfer`) is trained further. If it is
    frozen, nothing is meta-trained. If both domains are labelled, only target samples are compared with.
    Batch normalisation uses the statistics of each episode in meta-training, and afterwards its running
    averages over the episodes, so no prediction depends on other test samples.
    """

    family = "meta_learning"
    replaces = frozenset({"fit"})
    without_labels = "no labelled target samples to compare with"

    train_way: int = param(20, low=2, tune=(5, 60))
    shot: int | None = param(None, low=1)
    queries: int = param(5, low=1)
    meta_lr: float = param(3e-3, low=0.0, tune=(3e-4, 1e-2))
    halve_every: int | None = param(None, low=1)
    meta_steps: int = param(100, low=1)
    source_passes: int = param(1, low=0)

    @property
    def rule(self) -> Rule:
        """How features are compared."""
        raise NotImplementedError

    def init_model(self, model: nn.Module, ctx: Context) -> nn.Module:
        """The model with a meta-trained body."""
        from fsbench_plugins._episodes import Episodes
        from fsbench_plugins._episodic_training import train_on_episodes

        if not any(p.requires_grad for p in model.get_submodule("body").parameters()):
            ctx.note("the body is frozen; nothing was meta-trained")
            return model
        source = matched_source(ctx)
        usable = int((source.class_counts >= 2).sum())
        if usable < 2:
            raise FsbenchError("the source has fewer than two classes of two samples; episodes need them")
        way = min(self.train_way, usable)
        shot = self.shot or min(ctx.task.labels_per_class or 1, MOST_SHOTS)
        episodes = Episodes(source, way, shot, self.queries, ctx.stream("episodes"))
        steps = steps_over(source, self.source_passes, episodes.samples, self.meta_steps)

        def train() -> None:
            train_on_episodes(model, self.rule, episodes, ctx, self.meta_lr, steps, self.halve_every)

        ctx.pretrain_by(train, model, source, episodes.sizes, steps)
        said = f"{steps} episodes, {way}-way {episodes.shot}-shot with {episodes.queries} queries"
        if way < self.train_way:
            said += f"; train_way={self.train_way} was asked for, the source has {usable} classes"
        ctx.note(said)
        return model

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The predictor by which test samples are compared with the training samples."""
        from fsbench_plugins._comparisons import compared

        return compared(self.rule, train, ctx)
