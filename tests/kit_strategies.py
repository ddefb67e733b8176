"""Correct and wrong strategies for the tests of the conformance kit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from fsbench import Fitted, Strategy, param, specs
from fsbench.testing import check_conformance


def verdicts(strategy) -> dict[str, str]:
    return {r.name: r.status if r.status != "failed" else r.reason for r in check_conformance(strategy)}


def wrong(fields: dict | None = None, **members) -> type[Strategy]:
    """A strategy that is correct except for the given attributes."""
    members = {"name": "wrong", "cite": "nobody", "__doc__": "Wrong.", **members}
    members["__annotations__"] = dict.fromkeys(fields or {}, float)
    return dataclass(frozen=True)(type("Wrong", (Strategy,), members | (fields or {})))


def half_loss(self, logits, targets, inner, ctx):
    return inner(logits, targets) / 2


def renamed(cls: type[Strategy], name: str, **members) -> Strategy:
    return dataclass(frozen=True)(type(name, (cls,), {"name": name, "__doc__": "Renamed.", **members}))()


@dataclass(frozen=True)
class Smooth(Strategy):
    """Label smoothing."""

    name = "smooth"
    cite = "Szegedy et al. 2016"
    amount: float = param(0.1, low=0.0, high=0.9)

    def loss(self, logits, targets, inner, ctx):
        return inner(logits, (1 - self.amount) * targets + self.amount / targets.shape[1])


@dataclass(frozen=True)
class Mix(Strategy):
    """Mixes each sample with the next."""

    name = "mix"
    cite = "nobody"

    def augment(self, batch, ctx):
        targets = (batch.targets + batch.targets.roll(1, 0)) / 2
        return replace(batch, x=(batch.x + batch.x.roll(1, 0)) / 2, targets=targets)


@dataclass(frozen=True)
class Source(Strategy):
    """Pretrains on the source."""

    name = "source"
    cite = "nobody"
    steps: int = param(400, low=2)

    @property
    def uses(self):
        return frozenset({"source"})

    def skip(self, task):
        return None if task.has_source else "needs source data"

    def init_model(self, model, ctx):
        source = ctx.source
        pretrained = ctx.pretrain(model.with_head(source.num_classes), source, replace(ctx.recipe, steps=9))
        return pretrained.with_head(ctx.num_classes)


@dataclass(frozen=True)
class Nearest(Strategy):
    """The class of the nearest mean."""

    name = "nearest"
    cite = "nobody"
    kinds = frozenset({"image", "table"})
    replaces = frozenset({"fit"})

    def fit(self, train, inner, ctx):
        flat = train.x.flatten(1)
        means = train.targets.T @ flat / train.targets.sum(0)[:, None]
        return Fitted(lambda x: -torch.cdist(x.flatten(1), means))


@dataclass(frozen=True)
class FixMatch(Strategy):
    """Learns from its own confident predictions on unlabelled data."""

    name = "fixmatch"
    cite = "Sohn et al. 2020"
    threshold: float = param(0.95, low=0.0, high=1.0)

    @property
    def uses(self):
        return frozenset({"unlabeled"})

    def skip(self, task):
        return None if task.num_unlabeled else "needs unlabeled data"

    def auxiliary_loss(self, out, ctx):
        if out.unlabeled_logits is None:
            return 0.0
        confidence, labels = out.unlabeled_logits.detach().softmax(-1).max(-1)
        sure = confidence > self.threshold
        if not sure.any():
            return 0.0
        return torch.nn.functional.cross_entropy(out.unlabeled_logits[sure], labels[sure])


@dataclass(frozen=True)
class Mean(Strategy):
    """The mean of the logits of several strategies."""

    name = "mean"
    cite = "nobody"
    replaces = frozenset({"fit"})
    of: str = param("erm, sklearn", spec=True)

    def fit(self, train, inner, ctx):
        members = [ctx.fit_with(each, train) for each in specs(self.of)]
        return Fitted(lambda x: sum(member.predict(x) for member in members) / len(members))


def picky_loss(self, logits, targets, inner, ctx):
    assert set(targets.unique().tolist()) <= {0, 1}, "soft targets"
    return inner(logits, targets) / 2


def keeps_fit_to_itself(self, train, inner, ctx):
    return Nearest().fit(train, inner, ctx)
