"""Strategies that change the training step, the weights behind a fit, or use other strategies."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from fsbench import Context, Fitted, LabeledSet, Recipe, Step, Strategy, hookimpl, param


@dataclass(frozen=True)
class Clip(Strategy):
    """Gradients of bounded norm."""

    name = "clip"
    cite = "Pascanu et al. (2013). On the difficulty of training recurrent neural networks. ICML."
    most: float = param(0.1, low=0.0)

    def step(self, step: Step, inner: Callable[[Step], None], ctx: Context) -> None:
        inner(_Clipped(step, self.most))  # type: ignore[arg-type]


class _Clipped:
    def __init__(self, step: Step, most: float) -> None:
        self._step, self._most = step, most

    def __getattr__(self, name: str) -> Any:
        return getattr(self._step, name)

    def update(self) -> None:
        nn.utils.clip_grad_norm_(self._step.parameters, self._most)
        self._step.update()


@dataclass(frozen=True)
class Soup(Strategy):
    """The mean of the weights of two fits."""

    name = "soup"
    cite = "Wortsman et al. (2022). Model soups. ICML."

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        first = inner(train).require_network(self.name)
        second = inner(train, model=copy.deepcopy(first)).require_network(self.name)
        with torch.no_grad():
            for p, other in zip(first.parameters(), second.parameters(), strict=True):
                p.lerp_(other, 0.5)
        return ctx.fitted(first)


@dataclass(frozen=True)
class EarlyThreshold(Strategy):
    """Shifts the logits according to the classes of the validation set."""

    name = "early_threshold"
    cite = "nobody"
    declared: bool = True
    asks: str = "ctx"

    @property
    def uses(self) -> frozenset[str]:
        return frozenset({"val"} if self.declared else ())

    def postprocess(self, fitted: Fitted, val: LabeledSet, ctx: Context) -> Fitted:
        shift = (ctx.val if self.asks == "ctx" else val).class_counts
        return fitted.map(lambda logits: logits + 0.1 * shift)


@dataclass(frozen=True)
class Widths(Strategy):
    """A field that holds a list."""

    name = "widths"
    cite = "nobody"
    sizes: tuple[int, ...] = (4, 8)

    def configure(self, recipe: Recipe, ctx: Context) -> Recipe:
        return replace(recipe, steps=sum(self.sizes))


@hookimpl
def fsbench_strategies() -> list[type[Strategy]]:
    return [Clip, Soup, EarlyThreshold, Widths]
