"""Greedy soups: the mean of the weights of several trainings."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fsbench import Context, Fitted, LabeledSet, Strategy, TaskInfo, hookimpl, param

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class GreedySoup(Strategy):
    """The mean of the weights of trainings that help each other (Wortsman et al. 2022).

    `size` networks are trained from copies of one start, with other batches and with learning rates up to
    `spread` times as high and as low as the recipe's. The best one on the validation part comes first; then
    each of the others, from the best to the worst, joins the mean of the weights if the cross-entropy there
    does not rise. Predicting costs as much as with one network. Weights can only be averaged where trainings
    stay close to each other, as they do from a pretrained start (`transfer+greedy_soup`).
    """

    name = "greedy_soup"
    cite = (
        "Wortsman, M., et al. (2022). Model soups: averaging weights of multiple fine-tuned models improves "
        "accuracy without increasing inference time. ICML."
    )

    size: int = param(4, low=1, tune=(2, 8))
    spread: float = param(2.0, low=1.0, high=100.0)

    @property
    def uses(self) -> frozenset[str]:
        """The validation set."""
        return frozenset({"val"})

    def skip(self, task: TaskInfo) -> str | None:
        """The strategy needs a validation part."""
        return None if task.num_val else "needs a validation part"

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The network with the mean weights. Raises InertComponent if a fit has no network."""
        start = copy.deepcopy(ctx.model)
        networks = []
        for exponent in _evenly(self.size):
            recipe = replace(ctx.recipe, lr=ctx.recipe.lr * self.spread**exponent)
            fitted = inner(train, recipe=recipe, model=copy.deepcopy(start))
            networks.append(fitted.require_network(self.name))
        networks.sort(key=lambda network: _loss(network, ctx))
        soup, joined = networks[0], 1
        for network in networks[1:]:
            mixed = _mean(soup, network, 1 / (joined + 1))
            if _loss(mixed, ctx) <= _loss(soup, ctx):
                soup, joined = mixed, joined + 1
        ctx.note(f"{joined} of {self.size} trainings in the mean")
        return ctx.fitted(soup)


def _evenly(size: int) -> list[float]:
    """Numbers from -1 to 1 at even distances; 0 if it is one."""
    return [0.0] if size == 1 else [2 * number / (size - 1) - 1 for number in range(size)]


def _loss(network: nn.Module, ctx: Context) -> float:
    """The cross-entropy on the validation part."""
    from torch.nn.functional import cross_entropy

    return float(cross_entropy(ctx.fitted(network).predict(ctx.val.x), ctx.val.targets))


def _mean(first: nn.Module, second: nn.Module, share: float) -> nn.Module:
    """A copy of the first network, moved by `share` of the way to the weights of the second."""
    import torch

    mixed = copy.deepcopy(first)
    with torch.no_grad():
        for ours, theirs in zip(_tensors(mixed), _tensors(second), strict=True):
            ours.lerp_(theirs, share)
    return mixed


def _tensors(network: nn.Module) -> list[torch.Tensor]:
    """The weights, and the statistics of normalisation layers."""
    return [t for t in (*network.parameters(), *network.buffers()) if t.is_floating_point()]


@hookimpl
def fsbench_strategies() -> list[type[Strategy]]:
    """The strategy of this package."""
    return [GreedySoup]
