"""More training samples, drawn from a model of each class."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fsbench import Context, LabeledSet, Strategy, param

if TYPE_CHECKING:
    import torch

_LARGEST_BATCH = 256


@dataclass(frozen=True)
class Vae(Strategy):
    """Adds samples of a conditional variational autoencoder of the training part (Kingma & Welling 2014).

    The model, a perceptron with `hidden` units and a code of `latent` dimensions, is trained for `vae_steps`
    steps of Adam at `vae_lr` on the training inputs, or on 256 random ones of them in each step if there are
    more, given their classes (Sohn et al. 2015) and, if there are any, domains. Then `samples` inputs are
    drawn for each class with labels: decoded means of random codes. Their values stay within those of the
    training part. All samples, real and drawn, are equally likely in a batch. As those drawn are made from
    all, folds within the training part, such as those of `best_classical`, leave them out.
    """

    name = "vae"
    results_version = "3"
    cite = (
        "Kingma, D. P. and Welling, M. (2014). Auto-encoding variational Bayes. ICLR. Sohn, K., Lee, H. and "
        "Yan, X. (2015). Learning structured output representation using deep conditional generative models. "
        "NeurIPS 28."
    )
    family = "generative"
    kinds = frozenset({"image", "table"})

    samples: int = param(10, low=0, tune=(5, 50))
    latent: int = param(8, low=1, tune=(2, 32))
    hidden: int = param(128, low=1)
    vae_steps: int = param(300, low=1, tune=(100, 1000))
    vae_lr: float = param(3e-3, low=0.0, tune=(1e-3, 1e-2))

    def resample(self, train: LabeledSet, ctx: Context) -> LabeledSet:
        """The training set with the drawn samples after its own."""
        import torch

        from fsbench_plugins._vae import ConditionalVae

        if not self.samples:
            return train
        x, condition = train.x.flatten(1), _conditions(train)
        with ctx.torch_seeded():
            model = ConditionalVae(x.shape[1], condition.shape[1], self.latent, self.hidden).to(ctx.device)
        optimizer, stream = torch.optim.Adam(model.parameters(), lr=self.vae_lr, fused=True), ctx.rng
        size = min(len(x), _LARGEST_BATCH)
        for _ in range(self.vae_steps):
            rows = slice(None) if size == len(x) else stream.integers(0, len(x), size)
            bound = model.bound(x[rows], condition[rows], stream.normal(size, self.latent))
            loss = -bound.mean() / x.shape[1]
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
        chosen = self._like(train, ctx)
        with torch.no_grad():
            drawn = model.decode(stream.normal(len(chosen), self.latent), condition[chosen])
        drawn = drawn.clamp(x.amin(0), x.amax(0)).reshape(-1, *train.x.shape[1:])
        ctx.note(f"{len(drawn)} drawn samples")
        like = train.select(chosen)
        groups = None if like.groups is None else torch.full_like(like.groups, -1)
        return train.with_added(replace(like, x=drawn, groups=groups))

    def _like(self, train: LabeledSet, ctx: Context) -> torch.Tensor:
        """The row whose class and domain each drawn sample has, `[C * samples]`."""
        import torch

        stream, rows = ctx.stream("classes"), []
        for label in range(train.num_classes):
            members = (train.y == label).nonzero().squeeze(1)
            if len(members):
                rows.append(members[stream.integers(0, len(members), self.samples)])
        return torch.cat(rows)


def _conditions(train: LabeledSet) -> torch.Tensor:
    """The class, and the domain if there are any, of each sample, `[N, C]` or `[N, C + 1]`."""
    import torch

    return train.targets if train.domain is None else torch.cat([train.targets, train.domain[:, None]], 1)
