"""Baseline++: a frozen body from the source, and a head that compares directions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from fsbench import Context, Fitted, LabeledSet, param
from fsbench_plugins._source import UsesSource, train_on_source

if TYPE_CHECKING:
    from torch import nn

    from fsbench_plugins._cosine_head import CosineHead


@dataclass(frozen=True)
class BaselinePp(UsesSource):
    """Baseline++ (Chen et al. 2019): source training and fine-tuning with cosine heads.

    The body is trained on the source with a head whose logits are `scale` times the cosine between features
    and class weights, for `source_steps` steps or `source_passes` over the source. Then the body is frozen,
    and a new head of the same form is fitted to the task until it converges, because the steps of a recipe
    may be too few to turn random class weights. The authors' code has a scale of 2, or of 10 for more than
    200 classes, and learns norms of the class weights besides.
    """

    name = "baseline_pp"
    results_version = "3"
    cite = (
        "Chen, W.-Y., Liu, Y.-C., Kira, Z., Wang, Y.-C. F. and Huang, J.-B. (2019). A closer look at "
        "few-shot classification. ICLR."
    )
    family = "meta_learning"
    replaces = frozenset({"init_model", "fit"})

    scale: float = param(20.0, low=0.1, tune=(5.0, 50.0))
    source_steps: int = param(300, low=1)
    source_passes: int = param(3, low=0)

    def init_model(self, model: nn.Module, ctx: Context) -> nn.Module:
        """The model with a body trained on the source, under a cosine head."""

        def with_cosines(network: nn.Module) -> nn.Module:
            network.head = self._head(network, ctx)
            return network

        body = model.get_submodule("body")
        train_on_source(body, ctx, self.source_steps, self.source_passes, with_cosines)
        return model

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The body with the cosine head that fits the task's labels best."""
        import torch

        from fsbench_plugins._feature_classifiers import directions
        from fsbench_plugins._prototypes import embed

        model = ctx.model
        head = self._head(model, ctx)
        with torch.no_grad():
            head.weight.copy_(directions(replace(train, x=embed(model, train.x)), self.scale))
        model.head = head
        return ctx.fitted(model)

    def _head(self, network: nn.Module, ctx: Context) -> CosineHead:
        from fsbench_plugins._cosine_head import CosineHead

        features, classes = cast(int, network.num_features), cast(int, network.num_classes)
        with ctx.torch_seeded():
            return CosineHead(features, classes, self.scale).to(ctx.device)
