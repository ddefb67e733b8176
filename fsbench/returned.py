"""What the stages of a strategy return, checked: who returned what in which stage, and what was expected.

Each check returns what the stage returned, and raises PluginError for anything else than it describes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsbench.errors import PluginError, SpecError
from fsbench.recipes.recipe import check_fields
from fsbench.types import Batch, Fitted, LabeledSet, Recipe

if TYPE_CHECKING:
    import torch
    from torch import nn


def checked_recipe(given: Recipe, got: Recipe, name: str) -> Recipe:
    """What a `configure` returned: a recipe that can be trained with."""
    return sound_recipe(got, f"{name}: configure returned")


def sound_recipe(got: object, did: str) -> Recipe:
    """A recipe whose fields have possible values; `did` says who returned it or passed it on."""
    if not isinstance(got, Recipe):
        expected = "a Recipe, as by dataclasses.replace(recipe, ...)"
        raise PluginError(f"{did} {_described(got)}; expected {expected}")
    try:
        check_fields(f"{did} a recipe with", got)
    except SpecError as error:
        raise PluginError(str(error)) from None
    return got


def checked_embedded(given: Batch, got: Batch, name: str) -> Batch:
    """What an `embed` returned: a batch of tensors."""
    if not (isinstance(got, Batch) and _form(got.x)):
        what = got.x if isinstance(got, Batch) else got
        raise _unexpected(name, "embed", what, "dataclasses.replace(batch, x=features)")
    return got


def checked_features(got: Batch, name: str) -> Batch:
    """What the last `embed` returned: a row of floats for each sample."""
    if not got.x.is_floating_point() or got.x.ndim != 2:
        raise _unexpected(name, "embed", got.x, "features, float [B, D]", "x as ")
    return got


def checked_training_set(given: LabeledSet, got: LabeledSet, name: str) -> LabeledSet:
    """What a `resample` returned: a training set that is not empty and has everything for each input."""
    if not isinstance(got, LabeledSet):
        raise _unexpected(name, "resample", got, "a LabeledSet, as by train.select(rows)")
    if not len(got):
        raise PluginError(f"{name}: resample returned an empty training set")
    samples = len(got)
    for part, axis in (("targets", 0), ("weights", -1), ("domain", -1), ("groups", -1), ("added", -1)):
        values = getattr(got, part)
        if values is not None and values.shape[axis] != samples:
            raise PluginError(
                f"{name}: resample returned {samples} inputs but {part} for {values.shape[axis]}; "
                "change them together, as train.select does"
            )
    _check_targets(got.targets, samples, given.num_classes, name, "resample")
    if not ((got.targets >= 0).all() and ((got.targets.sum(-1) - 1).abs() < 1e-2).all()):
        raise PluginError(
            f"{name}: resample returned targets that are negative, NaN or do not sum to 1; expected "
            "distributions"
        )
    weights = got.weights
    if weights is not None and not ((weights >= 0).all() and (weights.sum(-1) > 0).all()):
        raise PluginError(
            f"{name}: resample returned weights that are negative, NaN or all 0; expected probabilities"
        )
    return got


def checked_module(got: nn.Module, name: str, stage: str) -> nn.Module:
    """What an `init_model` or an `auxiliary_modules` returned: a module."""
    from torch import nn

    if not isinstance(got, nn.Module):
        raise _unexpected(name, stage, got, "a torch.nn.Module")
    return got


def checked_term(got: torch.Tensor | float, name: str) -> torch.Tensor | float:
    """What an `auxiliary_loss` returned: a number, or a tensor with one."""
    import torch

    if not (isinstance(got, int | float) or (isinstance(got, torch.Tensor) and got.numel() == 1)):
        raise _unexpected(name, "auxiliary_loss", got, "a scalar, such as 0.0 or losses.mean()")
    return got


def checked_fit(got: object, name: str, stage: str) -> Fitted:
    """What a `fit` or a `postprocess` returned: a fitted predictor."""
    if not isinstance(got, Fitted):
        raise _unexpected(name, stage, got, "fsbench.Fitted(predict), or what inner returned")
    return got


def checked_loss(got: torch.Tensor, samples: int, name: str) -> torch.Tensor:
    """What a `loss` returned: a float for each sample."""
    if _form(got) != (True, (samples,)):
        raise _unexpected(name, "loss", got, f"one loss per sample, float [{samples}]")
    return got


def check_passed_targets(logits: torch.Tensor, targets: torch.Tensor, name: str) -> None:
    """Refuse targets that a `loss` passes on if they are not distributions, one for each row of logits."""
    if _form(targets) != (True, tuple(logits.shape)):
        raise PluginError(
            f"{name}: loss passed targets {_described(targets)} to inner; expected distributions, float "
            f"{list(logits.shape)}, like those that it was given"
        )


def checked_batch(given: Batch, got: Batch, name: str) -> Batch:
    """What an `augment` returned: a batch like the one that it was given."""
    if not isinstance(got, Batch):
        raise _unexpected(name, "augment", got, "dataclasses.replace(batch, x=...)")
    if getattr(got.x, "dtype", None) != given.x.dtype:
        raise _unexpected(name, "augment", got.x, f"{_dtype(given.x)}, as it was given", "x as ")
    _check_targets(got.targets, len(got.x), given.targets.shape[1], name, "augment")
    return got


def _check_targets(got: torch.Tensor, samples: int, classes: int, name: str, stage: str) -> None:
    if _form(got) != (True, (samples, classes)):
        raise _unexpected(name, stage, got, f"distributions, float [{samples}, {classes}]", "targets as ")


def _unexpected(name: str, stage: str, got: object, expected: str, what: str = "") -> PluginError:
    return PluginError(f"{name}: {stage} returned {what}{_described(got)}; expected {expected}")


def _form(got: object) -> tuple[bool, tuple[int, ...]] | None:
    """Whether a tensor has floats, and its shape; None for something else."""
    import torch

    return (got.is_floating_point(), tuple(got.shape)) if isinstance(got, torch.Tensor) else None


def _described(got: object) -> str:
    import torch

    return f"{_dtype(got)} {list(got.shape)}" if isinstance(got, torch.Tensor) else type(got).__name__


def _dtype(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
