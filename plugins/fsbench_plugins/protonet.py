"""Prototypical networks: an embedding in which each class is represented by its mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, Fitted, LabeledSet, param
from fsbench_plugins._episodic import Episodic

if TYPE_CHECKING:
    from fsbench_plugins._episodes import Rule


@dataclass(frozen=True)
class Protonet(Episodic):
    """Prototypical networks (Snell et al. 2017): the nearest class mean in a meta-trained embedding.

    The logits of a query are minus the squared Euclidean distances of its features to the class means of the
    support's. Afterwards, the classes are the means of the task's labels, and the head is not used. The
    meta-training on episodes is that of `Episodic`: `train_way` classes, `shot` support samples and `queries`
    queries of each per episode, `meta_steps` episodes.

    More classes than in the task make better embeddings: the paper has 60 on Omniglot, 20 or 30 on
    miniImageNet, and tens of thousands of episodes; the default is where its curve flattens on small images.
    """

    name = "protonet"
    results_version = "5"
    cite = (
        "Snell, J., Swersky, K. and Zemel, R. (2017). Prototypical networks for few-shot learning. NeurIPS."
    )
    without_labels = "no labelled target samples to take the means of"

    meta_steps: int = param(300, low=1)

    @property
    def rule(self) -> Rule:
        """Minus the squared distances to the class means."""
        from fsbench_plugins._prototypes import by_means

        return by_means

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """Minus the squared distances to the class means of the training features."""
        from fsbench_plugins._prototypes import nearest_means

        return ctx.fitted(nearest_means(ctx.model, train))
