"""What follows from the sizes of the classes: weights of losses, priors, sampling probabilities."""

from __future__ import annotations

import math

import torch

from fsbench import LabeledSet


def inverse(counts: torch.Tensor) -> torch.Tensor:
    """Weights `[C]` that are inverse to the counts `[C]` (King & Zeng 2001)."""
    return normalised(counts.max() / counts.clamp(min=1), counts)


def effective_number(counts: torch.Tensor, beta: float) -> torch.Tensor:
    """Weights `[C]` that are inverse to the effective numbers `(1 - beta^n) / (1 - beta)` (Cui et al. 2019).

    `beta` is below 1; 0 gives every class the same weight.
    """
    numbers = -torch.expm1(counts.clamp(min=1) * (math.log(beta) if beta else -math.inf))
    return normalised(numbers.max() / numbers, counts)


def normalised(weights: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Weights `[C]`, scaled so that the mean weight of a training sample is 1."""
    return weights * counts.sum() / (weights * counts).sum()


def log_priors(counts: torch.Tensor) -> torch.Tensor:
    """The logarithms `[C]` of the classes' shares, relative to the largest class; no sample counts as one."""
    present = counts.clamp(min=1)
    return (present / present.max()).log()


def balanced_draws(train: LabeledSet) -> torch.Tensor:
    """Sampling weights `[N]` with the given ratios within a class and the same sum for every class.

    Weights `[T, N]` of parts of the training become such weights of each part.
    """
    given = torch.ones_like(train.targets[:, 0]) if train.weights is None else train.weights
    classes = torch.nn.functional.one_hot(train.y, train.num_classes)
    sums = (given[..., None] * classes).sum(-2).clamp(min=torch.finfo(given.dtype).tiny)
    return given / sums[..., train.y]
