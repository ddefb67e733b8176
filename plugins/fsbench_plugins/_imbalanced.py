"""How `resampling` uses imbalanced-learn, and what it does where that library fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from imblearn.over_sampling import ADASYN, SMOTE, BorderlineSMOTE, RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler, TomekLinks
from sklearn.metrics import pairwise_distances_argmin
from sklearn.neighbors import NearestNeighbors

from fsbench import LabeledSet

Note = Callable[[str], None]
_AT_ONCE = 2**22  # distances computed together
_ROUNDING = 1e-12  # of squared distances between rows of float32, as a share of the largest squared length
_M_NEIGHBORS = 10  # the neighbours in all classes for Borderline-SMOTE; the default of imbalanced-learn


def pick(train: LabeledSet, method: str, seed: int) -> LabeledSet:
    """Rows of the training set, repeated (`random_over`) or left out (`random_under`)."""
    sampler = RandomOverSampler if method == "random_over" else RandomUnderSampler
    chosen = sampler(random_state=seed)
    chosen.fit_resample(np.zeros((len(train), 1)), train.y.cpu().numpy())
    rows = np.asarray(chosen.sample_indices_)
    repeated = np.ones(len(rows), dtype=bool)
    repeated[np.unique(rows, return_index=True)[1]] = False
    found = _rows(train, rows)
    return replace(found, added=found.added_mask | torch.from_numpy(repeated).to(found.x.device))


def synthesise(train: LabeledSet, method: str, k_neighbors: int, seed: int, note: Note) -> LabeledSet:
    """The training set and new samples of every class but the largest."""
    x, y = train.x.flatten(1).cpu().numpy(), train.y.cpu().numpy()
    labels, counts = np.unique(y, return_counts=True)
    added_x, added_y, remarks = [x[:0]], [y[:0]], Counter[str]()
    for label, count in zip(labels, counts, strict=True):
        if count < counts.max():
            wanted = int(counts.max() - count)
            new = _new_samples(x, y, int(label), wanted, method, k_neighbors, seed, remarks)
            added_x.append(new)
            added_y.append(np.full(len(new), label))
    for what, classes in remarks.items():
        note(f"{_classes(classes)} {what}")
    return _extended(train, np.concatenate(added_x), np.concatenate(added_y), k_neighbors)


def without_tomek_links(train: LabeledSet, note: Note) -> LabeledSet:
    """The training set without its Tomek links (Tomek 1976); a class with only such samples keeps them."""
    y = train.y.cpu().numpy()
    links = TomekLinks(sampling_strategy="all")
    links.fit_resample(train.x.flatten(1).cpu().numpy(), y)
    kept = np.zeros(len(y), dtype=bool)
    kept[links.sample_indices_] = True
    lost = np.setdiff1d(y, y[kept])
    if len(lost):
        note(f"every sample of {_classes(len(lost))} is in a Tomek link; they were kept")
    return _rows(train, np.flatnonzero(kept | np.isin(y, lost)))


def _new_samples(
    x: np.ndarray,
    y: np.ndarray,
    label: int,
    wanted: int,
    method: str,
    k_neighbors: int,
    seed: int,
    remarks: Counter[str],
) -> np.ndarray:
    """Samples `[n, F]` to add to a class; `n` is `wanted`, or about that many by ADASYN."""
    own = x[y == label]
    if len(own) == 1:
        remarks["of one sample: repeated"] += 1
        return np.repeat(own, wanted, axis=0)
    k = min(k_neighbors, len(own) - 1)
    if k < k_neighbors:
        remarks[f"of {len(own)} samples: k_neighbors={k} instead of {k_neighbors}"] += 1
    try:
        found, _ = _sampler(method, k, len(x), {label: len(own) + wanted}, seed).fit_resample(x, y)
    except (RuntimeError, ValueError) as error:
        if method != "adasyn":
            raise
        remarks[f"unchanged: ADASYN found nothing to add ({str(error).split('.')[0]})"] += 1
        return x[:0]
    if len(found) == len(x):
        remarks["unchanged: no sample lies at the border to another class"] += 1
    return np.asarray(found[len(x) :])


def _sampler(method: str, k: int, samples: int, sizes: dict[int, int], seed: int) -> SMOTE | ADASYN:
    """An over-sampler that brings the classes named to their sizes."""
    if method == "adasyn":
        return ADASYN(sampling_strategy=sizes, n_neighbors=k, random_state=seed)
    if method == "borderline_smote":
        around = min(_M_NEIGHBORS, samples - 1)
        return BorderlineSMOTE(sampling_strategy=sizes, k_neighbors=k, m_neighbors=around, random_state=seed)
    return SMOTE(sampling_strategy=sizes, k_neighbors=k, random_state=seed)


def _extended(train: LabeledSet, new_x: np.ndarray, new_y: np.ndarray, k_neighbors: int) -> LabeledSet:
    """The training set and new rows `[n, F]` of classes `[n]`, with the attributes of their nearest rows.

    Their groups are those of both rows that they lie between, or -1 if these are not known.
    """
    if len(new_x) == 0:
        return train
    x, y = train.x.flatten(1).cpu().numpy(), train.y.cpu().numpy()
    nearest, ends = np.zeros(len(new_y), dtype=np.int64), np.zeros((2, len(new_y)), dtype=np.int64)
    for label in np.unique(new_y):
        own, new = np.flatnonzero(y == label), new_y == label
        nearest[new] = own[pairwise_distances_argmin(new_x[new], x[own])]
        places = between(x[own], new_x[new], k_neighbors)
        ends[:, new] = np.where(places < 0, -1, own[places])
    copies = _rows(train, nearest)
    made = torch.from_numpy(new_x).to(train.x).view_as(copies.x).clamp(train.x.amin(0), train.x.amax(0))
    one_hot = torch.nn.functional.one_hot(torch.from_numpy(new_y), train.num_classes).to(train.targets)
    return train.with_added(replace(copies, x=made, targets=one_hot, groups=_groups_of(train, ends)))


def _groups_of(train: LabeledSet, ends: np.ndarray) -> torch.Tensor | None:
    """The groups `[G, n]` of new rows between others, `[2, n]`; -1 if these are not known."""
    if train.groups is None:
        return None
    found = torch.cat([train.groups[..., torch.from_numpy(rows)].view(-1, len(rows)) for rows in ends])
    return found.masked_fill(torch.from_numpy(ends[0] < 0).to(found.device), -1)


def between(x: np.ndarray, new: np.ndarray, k_neighbors: int) -> np.ndarray:
    """The row of `x [N, F]` and its near neighbour that each of new rows `[n, F]` lies between, `[2, n]`.

    imbalanced-learn does not say which they were; -1 if they may have been others.
    """
    if len(x) == 1:
        return np.zeros((2, len(new)), dtype=np.int64)
    k, x, new = min(k_neighbors, len(x) - 1), x.astype(np.float64), new.astype(np.float64)
    length, second = (each.ravel() for each in NearestNeighbors(n_neighbors=k).fit(x).kneighbors())
    first, length, size = np.repeat(np.arange(len(x)), k), length**2, (x**2).sum(1)
    offset = (size[second] - size[first] - length) / 2
    pair = np.minimum(first, second) * len(x) + np.maximum(first, second)
    chosen = []
    for part in np.array_split(new, max(1, len(new) * len(first) // _AT_ONCE)):
        product = part @ x.T
        along = product[:, second] - product[:, first] - offset
        share = np.clip(along / np.maximum(length, np.finfo(float).tiny), 0, 1)
        far = ((part**2).sum(1)[:, None] + size - 2 * product)[:, first]
        gap = far - 2 * share * along + share**2 * length
        best, near = gap.argmin(1), gap.min(1) + _ROUNDING * max(size.max(), (part**2).sum(1).max())
        several = ((gap <= near[:, None]) & (pair != pair[best][:, None])).any(1)
        chosen.append(np.where(several, -1, np.stack([first[best], second[best]])))
    return np.concatenate(chosen, 1)


def _rows(train: LabeledSet, index: np.ndarray) -> LabeledSet:
    return train.select(torch.from_numpy(np.asarray(index, dtype=np.int64)).to(train.x.device))


def _classes(count: int) -> str:
    """How many classes; a strategy does not know their names."""
    return "a class" if count == 1 else f"{count} classes"
