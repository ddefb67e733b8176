"""Model-agnostic meta-learning: a start from which a few gradient steps suffice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fsbench import Context, Recipe, param
from fsbench_plugins._adapted import Adapted
from fsbench_plugins._source import matched_source, steps_over

if TYPE_CHECKING:
    from torch import nn

MOST_SHOTS = 2


@dataclass(frozen=True)
class Maml(Adapted):
    """MAML (Finn et al. 2017): meta-learn a start on episodes from the source, then adapt it to the task.

    An episode has as many classes as the task, in a random order, `shot` labels per class (`none`: as many as
    the task, at most 2, because more are expensive) and `queries` test samples per class. From the start,
    `inner_steps` plain gradient steps at `inner_lr` are taken on its labels; the loss of its queries is
    differentiated through those steps (`first_order` leaves out the second derivatives), and Adam at
    `meta_lr` updates the start, for `meta_steps` steps of `meta_batch` episodes, or `source_passes` over the
    source if that is more. `anil` adapts only the head, in the episodes and in the task (Raghu et al. 2020).
    The training on the task is then `adapt_steps` steps of the same form on all its labels at once, instead
    of the recipe's optimizer. Meta-learning starts with a head of zeros: the order of classes is random, so
    none should be preferred.

    The defaults fit a small budget, with which a start needs more than the paper's few steps (chosen with
    digits as the source and MNIST as the task, 5 labels per class). The paper's Omniglot setting is
    `maml(inner_lr=0.4, adapt_steps=3, meta_batch=32, meta_steps=60000, meta_lr=0.001, queries=1,
    transductive=true)`. The inner loss is the mean over an episode's labels; a later version of the authors'
    code adds up the means of the classes, so that its steps are as many times longer as there are classes.
    That code leaves the weights of batch normalisation out of the inner steps; here they take part.

    Losses, auxiliary losses and augmentations of other components also act in the episodes; augmentation
    changes an episode's labelled samples once, and never its queries. Auxiliary modules do not take part in
    the inner steps. On a `shift` task, the start is adapted only to the target labels.

    In the episodes, batch normalisation uses the statistics of each batch. Predictions use those of the
    task's training samples, so that no prediction depends on other test samples; `transductive` uses those of
    the predicted inputs, as Finn et al. did, which is a different, easier problem.
    """

    name = "maml"
    results_version = "4"
    cite = (
        "Finn, C., Abbeel, P. and Levine, S. (2017). Model-agnostic meta-learning for fast adaptation of "
        "deep networks. ICML. anil: Raghu, A., Raghu, M., Bengio, S. and Vinyals, O. (2020). Rapid "
        "learning or feature reuse? Towards understanding the effectiveness of MAML. ICLR."
    )

    inner_lr: float = param(0.1, low=0.0, tune=(0.01, 0.5))
    inner_steps: int = param(1, low=1, tune=(1, 3))
    adapt_steps: int = param(50, low=1, tune=(1, 100))
    meta_lr: float = param(3e-3, low=0.0, tune=(1e-4, 1e-2))
    meta_steps: int = param(80, low=1)
    meta_batch: int = param(2, low=1, tune=(1, 4))
    source_passes: int = param(1, low=0)
    shot: int | None = param(None, low=1)
    queries: int = param(3, low=1)
    first_order: bool = False
    anil: bool = False
    transductive: bool = False

    @property
    def uses(self) -> frozenset[str]:
        """The source data, for its episodes; the test inputs, if their statistics are used."""
        return frozenset({"source", "test_inputs"} if self.transductive else {"source"})

    def configure(self, recipe: Recipe, ctx: Context) -> Recipe:
        """The inner steps instead of the recipe's training."""
        recipe = super().configure(recipe, ctx)
        return replace(recipe, backbone_lr_scale=0.0) if self.anil else recipe

    def init_model(self, model: nn.Module, ctx: Context) -> nn.Module:
        """The meta-learned start."""
        from fsbench_plugins import _meta_training
        from fsbench_plugins._episodes import Episodes

        source = matched_source(ctx)
        shot = self.shot or min(ctx.task.labels_per_class or MOST_SHOTS, MOST_SHOTS)
        episodes = Episodes(source, ctx.num_classes, shot, self.queries, ctx.stream("episodes"))
        inner = _meta_training.Inner(self.inner_lr, self.inner_steps, self.first_order, self.anil)
        steps = steps_over(source, self.source_passes, self.meta_batch * episodes.samples, self.meta_steps)
        _meta_training.zero(model.get_submodule("head"))

        def train() -> None:
            _meta_training.meta_train(model, episodes, inner, ctx, self.meta_lr, steps, self.meta_batch)

        with _meta_training.batch_statistics(model, keep=self.transductive) as layers:
            ctx.pretrain_by(train, model, source, episodes.sizes, steps)
        if self.transductive and not layers:
            ctx.note("transductive has no effect: there is no batch normalisation")
        ctx.note(
            f"{steps} meta-steps of {self.meta_batch} episodes, "
            f"{episodes.way}-way {episodes.shot}-shot with {episodes.queries} queries a class"
        )
        return model
