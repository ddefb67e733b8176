"""Tables: rows of numbers and categories; strategies see float32 features, prepared on the training part.

A table without `columns` (only numbers, none missing) is standardised. In other tables, a missing number is
replaced by the median of the training part, numbers are then standardised, and categories are one-hot
encoded; a category that is missing, or absent from the training part, is all zeros. Numbers come first, then
categories, each in the order of the columns, so that the width depends only on `columns`. This uses
scikit-learn's SimpleImputer, StandardScaler and OneHotEncoder (Pedregosa et al. 2011).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fsbench.errors import DataError
from fsbench.kinds.kind import Kind, Transform
from fsbench.types import DatasetInfo, Recipe
from fsbench.words import plural


class Table(Kind):
    """Rows `[F]`, stored as float32, with categories as codes from 0 and missing values as NaN."""

    name = "table"
    sample = "row"
    dtype = np.float32
    recipe = Recipe(
        "mlp(norm=batch, width=256)", steps=100, batch_size=32, lr=0.003, weight_decay=0.1, passes=10
    )

    def stored_shape(self, info: DatasetInfo) -> tuple[int, ...]:
        """The number of `columns`, if there are any."""
        return (len(info.columns),) if info.columns else info.shape

    def seen_shape(self, stored: tuple[int, ...], columns: tuple[int, ...]) -> tuple[int, ...]:
        """Each categorical column has one feature per category."""
        return (sum(max(1, count) for count in columns),) if columns else stored

    def check_values(self, info: DatasetInfo, x: np.ndarray) -> None:
        """Numbers must be finite, or missing if there are `columns`; categories must be valid codes."""
        if not info.columns:
            super().check_values(info, x)
        for number, categories in enumerate(info.columns):
            column = x[:, number][~np.isnan(x[:, number])]
            if np.isinf(column).any():
                raise DataError(f"{info.text}: some values of column {number} are infinite")
            if categories and not np.isin(column, np.arange(categories)).all():
                raise DataError(f"{info.text}: column {number} has codes other than 0 to {categories - 1}")

    def describe(self, info: DatasetInfo, x: np.ndarray) -> str:
        """`5 numbers and 2 categories, 3 missing values`."""
        categories = sum(count > 0 for count in info.columns)
        numbers = x.shape[1] - categories
        missing = int(np.isnan(x).sum())
        parts = [plural(numbers, "number")] if numbers else []
        parts += [f"{categories} categor{'ies' if categories > 1 else 'y'}"] if categories else []
        return " and ".join(parts) + (f", {plural(missing, 'missing value')}" if missing else "")

    def fit(self, train_x: np.ndarray, info: DatasetInfo) -> Transform:
        """Rows `[E, M, F]` float32 to features `[E, M, info.shape[0]]` float32."""
        if not info.columns:
            return _standardiser(train_x)
        cells = [_fit_columns(cell, info.columns) for cell in train_x]
        width = info.shape[0]

        def transform(x: np.ndarray) -> np.ndarray:
            if not x.shape[1]:
                return np.empty((len(x), 0, width), dtype=np.float32)
            return np.stack([cell(part) for cell, part in zip(cells, x, strict=True)])

        return transform

    def mismatch(self, given: tuple[int, ...], wanted: tuple[int, ...]) -> str | None:
        """Tables with other features cannot be matched."""
        return None if given == wanted else f"source has {given[0]} features, the task {wanted[0]}"

    def toy_centre(self, rng: np.random.Generator) -> np.ndarray:
        """A corner of the cube of 8 features."""
        return rng.choice([-1.0, 1.0], (8,))

    def toy_samples(self, centres: np.ndarray, moved: float, rng: np.random.Generator) -> np.ndarray:
        """The corners with noise; `moved` shifts every feature."""
        x = centres + moved + 0.4 * rng.standard_normal(centres.shape)
        return x.astype(np.float32)


def _standardiser(x: np.ndarray) -> Transform:
    """Standardises by the mean and deviation of `x [E, N, F]` in each cell; a deviation of 0 counts as 1."""
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
    """Which outputs `[W]` are known from the training part; the others are 0 everywhere.

    Unknown are numbers that are missing in all of it, and categories that do not occur in it.
    """
    numbers = [~np.isnan(train[:, [place]]).all(0) for place, count in enumerate(columns) if not count]
    seen = [np.isin(np.arange(count), train[:, place]) for place, count in enumerate(columns) if count]
    return np.concatenate([*numbers, *seen])
