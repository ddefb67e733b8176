"""Tables: rows of numbers and categories; strategies see float32 features, prepared on the training part.

A table without `columns` (only numbers, none missing) is standardised. In other tables, a missing number is
replaced by the median of the training part, numbers are then standardised, and categories are one-hot
encoded; a category that is missing, or absent from the training part, is all zeros. Numbers come first, then
categories, each in the order of the columns, so that the width depends only on `columns`. Medians, means and
deviations are those of scikit-learn's SimpleImputer and StandardScaler (Pedregosa et al. 2011).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fsbench.errors import DataError
from fsbench.kinds.kind import Kind, Transform
from fsbench.savable import Savable
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
        parts += [plural(categories, "category")] if categories else []
        return " and ".join(parts) + (f", {plural(missing, 'missing value')}" if missing else "")

    def fit(self, train_x: np.ndarray, info: DatasetInfo) -> Transform:
        """Rows `[E, M, F]` float32 to features `[E, M, info.shape[0]]` float32."""
        if not info.columns:
            return _standardiser(train_x)
        return Cells([_fit_columns(cell, info.columns) for cell in train_x], info.shape[0])

    def prepared(self, info: DatasetInfo) -> str:
        """What happens to numbers, categories and missing values."""
        scaled = "numbers less the mean, divided by the deviation, of the training data"
        if not info.columns:
            return scaled
        return (
            f"missing numbers replaced by the median, {scaled}; a feature for each category, all zeros for "
            "one that is missing or was not in the training data"
        )

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


@dataclass(frozen=True, eq=False)
class Standardised(Savable):
    """Rows `[E, M, F]` minus the mean, divided by the deviation, both float64 `[E, 1, F]`."""

    mean: np.ndarray
    deviation: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """The features, float32."""
        standardised: np.ndarray = ((x - self.mean) / self.deviation).astype(np.float32)
        return standardised


def _standardiser(x: np.ndarray) -> Standardised:
    """Standardises by the mean and deviation of `x [E, N, F]` in each cell; a deviation of 0 counts as 1."""
    mean, deviation = x.mean(1, keepdims=True, dtype=np.float64), x.std(1, keepdims=True, dtype=np.float64)
    return Standardised(mean, np.where(deviation > 0, deviation, 1.0))


@dataclass(frozen=True, eq=False)
class Columns(Savable):
    """The columns of one cell: numbers filled and standardised, then one feature for each category.

    `columns` is that of `DatasetInfo`. `fill`, `mean` and `scale` are float64, one for each number. Features
    that are not `known` (bool `[W]`) are 0.
    """

    columns: tuple[int, ...]
    fill: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    known: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Rows `[M, F]` as features `[M, W]` float32."""
        numbers, categories = _places(self.columns)
        given = x[:, numbers].astype(np.float64)
        filled = (np.where(np.isnan(given), self.fill, given) - self.mean) / self.scale
        encoded = [x[:, [place]] == np.arange(self.columns[place]) for place in categories]
        found: np.ndarray = np.concatenate([filled, *encoded], axis=1) * self.known
        return found.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Cells(Savable):
    """Rows `[E, M, F]`, each cell prepared by its own `columns`, as `width` features."""

    columns: list[Columns]
    width: int

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """The features `[E, M, W]` float32."""
        if not x.shape[1]:
            return np.empty((len(x), 0, self.width), dtype=np.float32)
        return np.stack([cell(part) for cell, part in zip(self.columns, x, strict=True)])


def _fit_columns(train: np.ndarray, columns: tuple[int, ...]) -> Columns:
    """Imputer and scaler fitted on one cell's training part `[N, F]`."""
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import StandardScaler

    numbers, _ = _places(columns)
    known = _known(train, columns)
    if not numbers:
        nothing = np.zeros(0)
        return Columns(columns, nothing, nothing, nothing, known)
    given = train[:, numbers].astype(np.float64)
    imputer = SimpleImputer(strategy="median", keep_empty_features=True).fit(given)
    scaler = StandardScaler().fit(imputer.transform(given))
    return Columns(columns, np.nan_to_num(imputer.statistics_), scaler.mean_, scaler.scale_, known)


def _places(columns: tuple[int, ...]) -> tuple[list[int], list[int]]:
    """The places of numbers and of categories."""
    places = range(len(columns))
    return [p for p in places if not columns[p]], [p for p in places if columns[p]]


def _known(train: np.ndarray, columns: tuple[int, ...]) -> np.ndarray:
    """Which outputs `[W]` are known from the training part; the others are 0 everywhere.

    Unknown are numbers that are missing in all of it, and categories that do not occur in it.
    """
    numbers = [~np.isnan(train[:, [place]]).all(0) for place, count in enumerate(columns) if not count]
    seen = [np.isin(np.arange(count), train[:, place]) for place, count in enumerate(columns) if count]
    return np.concatenate([*numbers, *seen])
