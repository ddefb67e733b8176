"""Training episodes drawn from a labelled set."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch

from fsbench import FsbenchError, LabeledSet, Stream

Rule: TypeAlias = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""Query features `[Q, D]`, support features `[S, D]` and their targets `[S, C]` to logits `[Q, C]`."""


class Episodes:
    """Episodes drawn from a labelled set: `way` classes, `shot` support and `queries` query samples each.

    `shot` and `queries` are lowered if fewer than `way` classes have enough samples. The rows of an episode
    are ordered by class, so all episodes share `support_targets [way * shot, way]` and `query_targets [way *
    queries, way]`. Raises FsbenchError if too few classes have two samples.
    """

    def __init__(self, data: LabeledSet, way: int, shot: int, queries: int, rng: Stream) -> None:
        y = data.y.cpu().numpy()
        counts = np.bincount(y, minlength=data.num_classes)
        least = int(np.sort(counts)[-way])
        if least < 2:
            raise FsbenchError(f"fewer than {way} source classes have the 2 samples that an episode needs")
        self.x, self.way, self.rng = data.x, way, rng
        self.shot = min(shot, least - 1)
        self.queries = min(queries, least - self.shot)
        usable = np.flatnonzero(counts >= self.shot + self.queries)
        self._rows = np.argsort(y, kind="stable")
        self._counts = counts[usable]
        self._starts = (np.cumsum(counts) - counts)[usable]
        labels = torch.eye(way, device=data.x.device)
        self.support_targets = labels.repeat_interleave(self.shot, 0)
        self.query_targets = labels.repeat_interleave(self.queries, 0)

    @property
    def sizes(self) -> tuple[int, int, int]:
        """The classes of an episode, and the support and query samples of each."""
        return self.way, self.shot, self.queries

    @property
    def samples(self) -> int:
        """How many samples an episode has."""
        return self.way * (self.shot + self.queries)

    def draw(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Support inputs `[number, way * shot, ...]` and query inputs `[number, way * queries, ...]`."""
        classes = self._choose(np.full(number, len(self._counts)), self.way).ravel()
        picked = self._choose(self._counts[classes], self.shot + self.queries) + self._starts[classes, None]
        rows = self._rows[picked].reshape(number, self.way, -1)
        support, query = rows[:, :, : self.shot], rows[:, :, self.shot :]
        return self._inputs(support), self._inputs(query)

    def _inputs(self, rows: np.ndarray) -> torch.Tensor:
        flat = np.ascontiguousarray(rows).reshape(len(rows), -1)
        return self.x[torch.from_numpy(flat).to(self.x.device)]

    def _choose(self, sizes: np.ndarray, take: int) -> np.ndarray:
        """For each of `sizes`, `take` different numbers below it in a random order."""
        keys = self.rng.numpy.random((len(sizes), int(sizes.max())), dtype=np.float32)
        keys[np.arange(keys.shape[1]) >= sizes[:, None]] = 2
        first = np.argpartition(keys, take - 1, axis=1)[:, :take]
        order = np.argsort(np.take_along_axis(keys, first, 1), axis=1)
        return np.take_along_axis(first, order, 1)
