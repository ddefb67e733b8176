"""Training a model in several parts, in which its body is released as a whole or layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from fsbench import Context, Fitted, InertComponent, LabeledSet

if TYPE_CHECKING:
    from torch import nn

Release = Callable[["nn.Module", bool], None]
"""Lets a body or a part of it be trained, or not."""


def release(module: nn.Module, trained: bool, pretrained: bool = False) -> None:
    """Let a module be trained, or not; the batch normalisation of a pretrained one never is."""
    from fsbench_plugins._normalisation import batch_norms

    module.requires_grad_(trained)
    if pretrained:
        for layer in batch_norms(module):
            layer.requires_grad_(False)


def head_first(
    train: LabeledSet, inner: Callable[..., Fitted], ctx: Context, share: float, release: Release, who: str
) -> Fitted:
    """Train the head for a share of the recipe's steps, then everything (Kumar et al. 2022).

    Raises InertComponent, which names `who` asked, if the first part did not train the model itself.
    """
    first = round(share * ctx.recipe.steps)
    body = ctx.model.get_submodule("body")
    if first == 0 or not _may_be_trained(body):
        return inner(train)
    release(body, False)
    fitted = inner(train, recipe=replace(ctx.recipe, steps=first))
    release(body, True)
    rest = ctx.recipe.steps - first
    if not rest:
        return fitted
    _require_in_place(fitted, ctx, who)
    return inner(train, recipe=replace(ctx.recipe, steps=rest))


def gradually(
    train: LabeledSet, inner: Callable[..., Fitted], ctx: Context, release: Release, who: str
) -> Fitted:
    """Train the head, then one layer of the body more in each part (Howard & Ruder 2018).

    Raises InertComponent, which names `who` asked, if a part did not train the model itself.
    """
    body = ctx.model.get_submodule("body")
    if not _may_be_trained(body):
        return inner(train)
    found = layers(body)
    parts = min(len(found) + 1, ctx.recipe.steps)
    release(body, False)
    ends = [round(ctx.recipe.steps * (part + 1) / parts) for part in range(parts)]
    for part, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
        if part:
            release(found[-part], True)
        fitted = inner(train, recipe=replace(ctx.recipe, steps=end - start))
        if end < ctx.recipe.steps:
            _require_in_place(fitted, ctx, who)
    return fitted


def _may_be_trained(body: nn.Module) -> bool:
    """Whether a body is not frozen as a whole, as by a component that trains a head alone (`crt`)."""
    return any(parameter.requires_grad for parameter in body.parameters())


def _require_in_place(fitted: Fitted, ctx: Context, who: str) -> None:
    """Raise InertComponent unless a part of the training changed the model with which the next one begins."""
    if fitted.network is not ctx.model:
        raise InertComponent(
            f"{who} had no effect in all parts of its training but the last; another component predicts with "
            f"copies of the model or none, so write it after this one ({who}+bagging)"
        )


def layers(body: nn.Module) -> list[nn.Module]:
    """The parts of a body that have weights, from the input to the output."""
    found = [child for child in body.children() if any(True for _ in child.parameters())]
    return layers(found[0]) if len(found) == 1 else found or [body]
