"""Finds near-duplicates: images that look the same, rows that are equal, and the sets that they form."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

NEAR = 0.995
"""Two thumbnails with at least this correlation count as one image.

Two JPEGs of one photograph reach 0.999. Among 1,797 handwritten digits of 8x8 pixels, whose classes are very
similar, two in a thousand have another one this close; among 3,000 CIFAR-10 and 5,000 MNIST images, none.
"""
MOST = 30_000
"""The largest number of images that are compared in pairs."""
_BLOCK = 512
_FLAT = 1.0


def alike(looks: np.ndarray, near: float = NEAR) -> Iterator[np.ndarray]:
    """The pairs `[P, 2]`, i < j, of thumbnails (0 to 255 or 65535) or counts, float32 `[N, T]`, that match.

    Two match if their correlation, which brightness and contrast do not change, is at least `near`, or if
    both are uniformly grey with equal values. Pairs come in blocks, as there may be N * N / 2 of them.
    """
    centred = looks - looks.mean(1, keepdims=True)
    spread = np.sqrt((centred**2).mean(1))
    flat = spread < _FLAT
    unit = np.where(flat[:, None], 0, centred / np.maximum(spread, _FLAT)[:, None] / np.sqrt(looks.shape[1]))
    yield from _near(unit.astype(np.float32), near)
    even = np.flatnonzero(flat)
    if len(even):
        levels = looks[even].mean(1).round()
        yield even[same(levels[:, None])]


def same(rows: np.ndarray) -> np.ndarray:
    """The pairs `[P, 2]` of each row of `[N, F]` that repeats an earlier one with the first equal row."""
    plain = np.ascontiguousarray(np.where(np.isnan(rows), np.inf, rows) + rows.dtype.type(0))
    whole = plain.view(np.dtype((np.void, plain.dtype.itemsize * plain.shape[1]))).ravel()
    _, first, number = np.unique(whole, return_index=True, return_inverse=True)
    found = np.stack([first[number.ravel()], np.arange(len(rows))], axis=1)
    later: np.ndarray = found[found[:, 0] != found[:, 1]]
    return later


def together(n: int, pairs: np.ndarray, groups: np.ndarray | None = None) -> np.ndarray:
    """The group number of n samples, int64, where pairs or groups join them directly or through others."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if groups is not None:
        pairs = np.concatenate([pairs, links(groups)])
    graph = coo_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    _, found = connected_components(graph, directed=False)
    numbers: np.ndarray = found.astype(np.int64)
    return numbers


def links(groups: np.ndarray) -> np.ndarray:
    """Pairs `[N, 2]` that join the samples of each group in `groups` `[N]`: each with the group's first."""
    _, first, number = np.unique(groups, return_index=True, return_inverse=True)
    return np.stack([first[number], np.arange(len(groups))], axis=1)


def _near(unit: np.ndarray, least: float) -> Iterator[np.ndarray]:
    """Pairs of unit vectors `[N, T]` whose product is at least `least`, block by block."""
    for start in range(0, len(unit), _BLOCK):
        left = unit[start : start + _BLOCK]
        for other in range(start, len(unit), _BLOCK):
            near = left @ unit[other : other + _BLOCK].T >= least
            yield np.argwhere(np.triu(near, 1) if other == start else near) + np.array([start, other])
