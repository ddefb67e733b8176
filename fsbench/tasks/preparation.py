"""Tables as strategies see them, by transformers that are fitted on the training part of a cell only.

A table without `columns` (all numbers, none missing) is standardised. In another, a missing number is
the median of the training part, numbers are then standardised, and a category is one-hot; a category
that is missing, or that the training part has not, is all zeros. Numbers come first, then categories,
each in the order of the columns, so that the width follows from `columns` alone. By scikit-learn's
SimpleImputer, StandardScaler and OneHotEncoder (Pedregosa et al. 2011).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fsbench.datasets.dataset import DatasetInfo

Transform = Callable[[np.ndarray], np.ndarray]
"""Stored inputs `[E, M, ...]` to what strategies see of them, `[E, M, ...]`."""


def fit_features(train_x: np.ndarray, info: DatasetInfo) -> Transform:
    """The transform that a dataset's training parts `[E, N, ...]` ask for; cell e is fitted on `train_x[e]`.

    Images pass unchanged. Tables `[E, M, F]` float32 become `[E, M, info.shape[0]]` float32.
    """
    if info.kind == "image":
        return lambda x: x
    if not info.columns:
        return _standardiser(train_x)
    cells = [_fit_columns(cell, info.columns) for cell in train_x]
    width = info.shape[0]

    def transform(x: np.ndarray) -> np.ndarray:
        if not x.shape[1]:
            return np.empty((len(x), 0, width), dtype=np.float32)
        return np.stack([cell(part) for cell, part in zip(cells, x, strict=True)])

    return transform


def _standardiser(x: np.ndarray) -> Transform:
    """By mean and deviation of `x [E, N, F]` in each cell; a deviation of 0 counts as 1."""
    mean, deviation = x.mean(1, keepdims=True, dtype=np.float64), x.std(1, keepdims=True, dtype=np.float64)
    deviation = np.where(deviation > 0, deviation, 1.0)

    def standardise(other: np.ndarray) -> np.ndarray:
        standardised: np.ndarray = ((other - mean) / deviation).astype(np.float32)
        return standardised

    return standardise


def _fit_columns(train: np.ndarray, columns: tuple[int, ...]) -> Transform:
    """Imputer, scaler and encoder fitted on one cell's training part `[N, F]`."""
    fitted = _transformer(columns).fit(train.astype(np.float64))
    known = _known(train, columns)

    def transform(x: np.ndarray) -> np.ndarray:
        found: np.ndarray = fitted.transform(x.astype(np.float64)) * known
        return found.astype(np.float32)

    return transform


def _transformer(columns: tuple[int, ...]) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = [place for place, count in enumerate(columns) if not count]
    categories = [place for place, count in enumerate(columns) if count]
    codes = [np.arange(columns[place], dtype=np.float64) for place in categories]
    filled = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    encoder = OneHotEncoder(categories=codes, handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer([("numbers", filled, numbers), ("categories", encoder, categories)])


def _known(train: np.ndarray, columns: tuple[int, ...]) -> np.ndarray:
    """Which outputs `[W]` the training part says anything about; the others are 0 everywhere.

    They are numbers that are missing in all of it, and categories that do not occur in it.
    """
    numbers = [~np.isnan(train[:, [place]]).all(0) for place, count in enumerate(columns) if not count]
    seen = [np.isin(np.arange(count), train[:, place]) for place, count in enumerate(columns) if count]
    return np.concatenate([*numbers, *seen])
