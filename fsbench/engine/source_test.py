"""A held-out part of the source: how well a network tells its classes apart, before and after a fit.

Strategies that start from source data never see this part. The network's features are judged, not a head, so
one measure serves strategies that train a head for the source classes and those that meta-learn without one:
a held-out sample belongs to the class whose mean feature, over source samples that the strategy did see, is
nearest (Rebuffi et al. 2017, "iCaRL"; for forgetting measured in features, Davari et al. 2022, "Probing
representation forgetting in supervised and unsupervised continual learning").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from fsbench.kinds import match_inputs
from fsbench.rng import generator
from fsbench.types import TaskInfo

SHARE, MOST = 10, 500
"""One sample in ten of each class is held out, but at most 500 in all."""
_KNOWN = 1000
_CHUNK = 256

Open = Callable[[np.ndarray], torch.Tensor]
"""Stored samples to tensors."""
Part = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Stored samples, their labels, and the numbers of those that belong to the part."""


def divide(y: np.ndarray, *key: object) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of source samples `[S]` for the strategy, ascending, and those held out, in random order.

    They depend only on the labels `y` and the key. A class of fewer than ten samples is not divided.
    """
    order = generator("held-out source", *key).permutation(len(y))
    by_class = order[np.argsort(y[order], kind="stable")]
    _, first, counts = np.unique(y[by_class], return_index=True, return_counts=True)
    rank = np.arange(len(y)) - np.repeat(first, counts)
    chosen = np.zeros(len(y), dtype=bool)
    chosen[by_class] = rank < np.repeat(counts, counts) // SHARE
    held_out = order[chosen[order]][:MOST]
    return np.setdiff1d(np.arange(len(y)), held_out), held_out


@dataclass(frozen=True)
class SourceTest:
    """Stored source samples with labels: `known_x`, whose class means are taken, and `test_x`, held out."""

    known_x: np.ndarray
    known_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    task: TaskInfo
    open: Open

    @classmethod
    def of(cls, known: Part, test: Part, task: TaskInfo, open: Open) -> SourceTest:
        """From what the strategy sees, of which a thousand samples suffice, and what is held out."""
        few = known[2][:: max(1, len(known[2]) // _KNOWN)]
        held_out = np.sort(test[2])
        return cls(known[0][few], known[1][few], test[0][held_out], test[1][held_out], task, open)

    def accuracy(self, network: nn.Module | None) -> float | None:
        """The fraction of held-out samples that are nearest to their class; None without features."""
        embed = getattr(network, "forward_features", None)
        if embed is None or not len(self.test_y):
            return None
        assert network is not None
        training = network.training
        network.eval()
        known, test = self._features(embed, self.known_x), self._features(embed, self.test_x)
        network.train(training)
        labels, place = np.unique(self.known_y, return_inverse=True)
        one_hot = torch.eye(len(labels), device=known.device)[torch.from_numpy(place).to(known.device)]
        nearest = torch.cdist(test, nn.functional.normalize(one_hot.T @ known)).argmin(1)
        return float((labels[nearest.cpu().numpy()] == self.test_y).mean())

    @torch.no_grad()
    def _features(self, embed: Callable[[torch.Tensor], torch.Tensor], x: np.ndarray) -> torch.Tensor:
        """Features `[N, D]` of length 1."""
        parts = [x[first : first + _CHUNK] for first in range(0, len(x), _CHUNK)]
        found = torch.cat([embed(match_inputs(self.open(part), self.task)).float() for part in parts])
        return nn.functional.normalize(found)
