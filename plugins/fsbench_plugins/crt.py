"""Classifier re-training: features from all samples, then a new head from balanced batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from fsbench import Context, Fitted, InertComponent, LabeledSet, Strategy, param


@dataclass(frozen=True)
class Crt(Strategy):
    """Trains as usual, then trains a new head on the frozen body, drawing every class equally often.

    Imbalance hurts the classifier more than the features (Kang et al. 2020). The second training lasts for
    the share `head_share` of the recipe's steps, with a schedule of its own, and comes on top of the first.
    """

    name = "crt"
    results_version = "2"
    cite = (
        "Kang, B., Xie, S., Rohrbach, M., Yan, Z., Gordo, A., Feng, J. and Kalantidis, Y. (2020). Decoupling "
        "representation and classifier for long-tailed recognition. ICLR."
    )
    family = "imbalance"

    head_share: float = param(0.5, low=0.01, high=2.0, tune=(0.1, 1.0))

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The predictor of the first training's body and the new head.

        Raises InertComponent if the first training left no network with a body and a head.
        """
        from fsbench_plugins import _class_balance
        from fsbench_plugins._cosine_head import CosineHead

        network: Any = inner(train).require_network(self.name)
        if not hasattr(network, "with_head"):
            raise InertComponent(f"{self.name} had no effect; the network has no head to be trained anew")
        with ctx.torch_seeded():
            renewed = network.with_head(train.num_classes)
            if isinstance(network.head, CosineHead):
                renewed.head = CosineHead(**network.head.arguments()).to(ctx.device)
        trained = [p for p in renewed.body.parameters() if p.requires_grad]
        renewed.body.requires_grad_(False)
        before = [parameter.clone() for parameter in renewed.body.parameters()]
        steps = max(1, round(self.head_share * ctx.recipe.steps))
        balanced = replace(train, weights=_class_balance.balanced_draws(train))
        fitted = inner(balanced, recipe=replace(ctx.recipe, steps=steps), model=renewed)
        if any(not now.equal(then) for now, then in zip(renewed.body.parameters(), before, strict=True)):
            raise InertComponent(
                f"{self.name} had no effect as it is meant; another component trained the frozen body again"
            )
        for parameter in trained:  # the body is also that of the first model, which may be trained further
            parameter.requires_grad_(True)
        return fitted
