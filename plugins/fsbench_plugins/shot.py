"""SHOT: adapt a source model to the target without the source data."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Batch, Context, Fitted, InertComponent, LabeledSet, param, training_mode
from fsbench_plugins._adapting import Adapting

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class Shot(Adapting):
    """Source hypothesis transfer (Liang et al. 2020): a fixed head, a body that learns the target.

    The network is trained on the labels with smoothed targets, `smoothing` of which is uniform. Then the
    head is fixed, and the body is trained for `adapt_steps` steps on unlabelled target inputs, by Adam at
    `lr_scale` times the recipe's rate, converted to Adam's, with a cosine schedule: predictions are to be
    certain one by one and diverse together (information maximisation, SHOT-IM) and, with `pseudo` above 0, to
    equal pseudo-labels, with that weight. These are the nearest class centres by cosine, in the features that
    the head sees, found twice: first with predicted probabilities as weights, then with the resulting labels;
    they are found anew `refreshes` times. The last network is the result.
    """

    name = "shot"
    results_version = "2"
    cite = (
        "Liang, J., Hu, D. and Feng, J. (2020). Do we really need to access the source data? Source "
        "hypothesis transfer for unsupervised domain adaptation. ICML."
    )
    in_core = True

    smoothing: float = param(0.1, low=0.0, high=1.0)
    pseudo: float = param(0.3, low=0.0, tune=(0.0, 1.0))
    lr_scale: float = param(0.1, low=0.0, tune=(0.03, 1.0))
    adapt_steps: int = param(300, low=1, tune=(100, 2000))
    refreshes: int = param(10, low=1)

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, inner: Callable[..., torch.Tensor], ctx: Context
    ) -> torch.Tensor:
        """The next loss `[B]` on smoothed targets `[B, C]`."""
        return inner(logits, (1 - self.smoothing) * targets + self.smoothing / targets.shape[1])

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """Fit on the labels, then adapt the body. Raises InertComponent if the body is frozen."""
        network = super().fit(train, inner, ctx).require_network(self.name)
        adapted = copy.deepcopy(network)
        with ctx.entering("adaptation"):
            self._adapt(adapted, ctx)
        return ctx.fitted(adapted)

    def _adapt(self, network: nn.Module, ctx: Context) -> None:
        import torch
        from torch.nn.functional import cross_entropy

        from fsbench_plugins._recipes import converted

        x, size, stream = ctx.unlabeled, ctx.recipe.batch_size, ctx.stream("batches")
        body = [p for p in network.get_submodule("body").parameters() if p.requires_grad]
        if not body:
            raise InertComponent(f"{self.name} had no effect; it adapts the body, and all of it is frozen")
        optimizer = torch.optim.Adam(body, lr=self.lr_scale * converted(ctx.recipe, "adam").lr)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.adapt_steps)
        every, labels = -(-self.adapt_steps // self.refreshes), torch.empty(0)
        for step in range(self.adapt_steps):
            ctx.at_step(step, self.adapt_steps)
            if self.pseudo and step % every == 0:
                with ctx.autocast():
                    labels = pseudo_labels(network, x)
            training_mode(network)
            rows = stream.integers(0, len(x), min(size, len(x)))
            empty = torch.full((len(rows), ctx.num_classes), 1 / ctx.num_classes, device=x.device)
            view = ctx.augment(Batch(x[rows], empty, role="unlabeled")).x
            with ctx.autocast():
                logits = network(view)
            loss = information(logits.float())
            if self.pseudo:
                loss = loss + self.pseudo * cross_entropy(logits.float(), labels[rows])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
        network.eval()


def information(logits: torch.Tensor) -> torch.Tensor:
    """The mean entropy of predictions minus the entropy of their mean, of logits `[U, C]`; a scalar."""
    log_p = logits.log_softmax(-1)
    mean = log_p.exp().mean(0)
    return (mean * (mean + 1e-12).log()).sum() - (log_p.exp() * log_p).sum(1).mean()


def pseudo_labels(network: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The nearest class centre, by cosine, of each of the inputs `[U, ...]`: int64 `[U]`."""
    import torch
    from torch.nn.functional import normalize, one_hot

    from fsbench_plugins._prototypes import class_means, embed

    features = embed(network, x)
    with torch.no_grad():
        shares = network.forward_head(features).float().softmax(-1)  # type: ignore[operator]
    features = normalize(features)
    for _ in range(2):
        similarity = features @ normalize(class_means(features, shares)).T
        labels = similarity.masked_fill(shares.sum(0) == 0, -2).argmax(1)
        shares = one_hot(labels, shares.shape[1]).to(shares)
    return labels
