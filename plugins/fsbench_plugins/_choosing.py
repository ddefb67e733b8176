"""The choice among classifiers by cross-validation on the training labels."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from fsbench import LabeledSet, get_kind
from fsbench_plugins._classical import Classical
from fsbench_plugins._estimators import fit_rows, sample_weights


def choose(candidates: Mapping[str, Classical], train: LabeledSet, kind: str, folds: int, seed: int) -> str:
    """The candidate with the highest balanced accuracy over stratified folds; the first of equal ones.

    `kind` is that of the samples, whose rows are made from the samples kept in each fold.
    The predictions of all folds are scored together. Where no class has two samples, it is the first.
    """
    y = train.y.cpu().numpy()
    folds = min(folds, max(separate_samples(train)))
    if folds < 2:
        return next(iter(candidates))
    weights, parts = sample_weights(train), stratified(train, folds, seed)
    rows = [_both(train.x, kind, *part) for part in parts]
    scored = np.concatenate([held_out for _, held_out in parts])

    def score(candidate: Classical) -> float:
        found = np.empty_like(y)
        for (kept, held_out), (known, tested) in zip(parts, rows, strict=True):
            given = {} if weights is None else {"sample_weight": weights[kept]}
            if len(np.unique(y[kept])) == 1:  # which scikit-learn's classifiers refuse to fit
                found[held_out] = y[kept][0]
                continue
            classifier = candidate.classifier(len(kept), seed)
            found[held_out] = fit_rows(classifier, known, y[kept], **given).predict(tested)
        return float(balanced_accuracy_score(y[scored], found[scored]))

    scores = {text: score(candidate) for text, candidate in candidates.items()}
    return max(scores, key=scores.__getitem__)


def _both(x: torch.Tensor, kind: str, kept: np.ndarray, held_out: np.ndarray) -> tuple[Any, Any]:
    """The rows of the inputs that are kept, and of those held out, as the former make them."""
    known, tested = (x[torch.from_numpy(part).to(x.device)] for part in (kept, held_out))
    rows = get_kind(kind).rows(known)
    return rows(known), rows(tested)


def separate_samples(train: LabeledSet) -> list[int]:
    """How many separate samples each class has; those of a group count once, added ones not."""
    given, groups = _given(train), _groups(train)[0]
    y = train.y.cpu().numpy()[given]
    return [len(np.unique(groups[given][y == label])) for label in np.unique(y)]


def stratified(train: LabeledSet, folds: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The rows kept and held out in each stratified fold; samples that belong together stay together.

    Added samples are never held out, and kept where all groups are that they were made from.
    """
    given, every = _given(train), _groups(train)
    y, groups = train.y.cpu().numpy()[given], every[0, given]
    single = len(np.unique(groups)) == len(groups)
    splitter = (StratifiedKFold if single else StratifiedGroupKFold)(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a class has fewer samples than folds
        parts = list(splitter.split(y, y, groups))
    if len(given) == len(train):
        return parts
    made = np.setdiff1d(np.arange(len(train)), given)
    usable = [made[np.isin(every[:, made], groups[kept]).all(0)] for kept, _ in parts]
    return [
        (np.concatenate([given[kept], more]), given[held_out])
        for (kept, held_out), more in zip(parts, usable, strict=True)
    ]


def _given(train: LabeledSet) -> np.ndarray:
    """The rows of samples that no strategy added."""
    return np.flatnonzero(~train.added_mask.cpu().numpy())


def _groups(train: LabeledSet) -> np.ndarray:
    """The groups `[G, N]` that each sample is of, or was made from."""
    return np.arange(len(train))[None] if train.groups is None else np.atleast_2d(train.groups.cpu().numpy())
