"""A plain strategy for unlabelled inputs, to show what they are worth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from fsbench import Context, Fitted, LabeledSet, Strategy, TaskInfo, hookimpl, param


@dataclass(frozen=True)
class SelfTraining(Strategy):
    """Learns from its own labels of unlabelled inputs, the surest share of each class first.

    In each of `rounds`, a larger share of the unlabelled inputs gets the predicted class as its label.
    """

    name = "self_training"
    cite = (
        "Lee (2013). Pseudo-label: the simple and efficient semi-supervised learning method. ICML workshop."
    )
    rounds: int = param(4, low=1)

    @property
    def uses(self) -> frozenset[str]:
        return frozenset({"unlabeled"})

    def skip(self, task: TaskInfo) -> str | None:
        return None if task.num_unlabeled else "needs unlabelled data"

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        x, fitted = ctx.unlabeled, inner(train)
        for number in range(1, self.rounds + 1):
            sure, guessed = fitted.predict(x).softmax(-1).max(-1)
            kept = torch.cat(
                [_surest(sure, guessed == label, number / self.rounds) for label in range(train.num_classes)]
            )
            targets = torch.nn.functional.one_hot(guessed[kept], train.num_classes).to(train.targets)
            # Labels that are given weigh as much, all together, as those that are guessed.
            given = torch.full((len(train),), 0.5 / len(train), device=x.device)
            weights = torch.cat([given, torch.full((len(kept),), 0.5 / len(kept), device=x.device)])
            more = LabeledSet(
                torch.cat([train.x, x[kept]]), torch.cat([train.targets, targets]), weights=weights
            )
            fitted = inner(more)
        return fitted


def _surest(sure: torch.Tensor, members: torch.Tensor, share: float) -> torch.Tensor:
    """The numbers of the surest share of some inputs."""
    index = members.nonzero().squeeze(-1)
    return index[sure[index].argsort(descending=True, stable=True)[: round(share * len(index))]]


@hookimpl
def fsbench_strategies() -> list[type[Strategy]]:
    return [SelfTraining]
