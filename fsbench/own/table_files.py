"""A CSV file: columns of numbers or categories, with missing values, and one column of labels."""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fsbench.errors import DataError, UnknownName, UsageError
from fsbench.kinds import get_kind
from fsbench.own.given import OwnData
from fsbench.own.parsing import NOTHING, is_quantity, missing_texts, parse_table
from fsbench.own.samples import Samples, as_float32, printable, some
from fsbench.words import plural

if TYPE_CHECKING:
    import pandas as pd

MAX_CATEGORIES = 200
_NUMBERS = "it only numbers the rows"
_SOMEBODY = re.compile(
    r"(patient|subject|participant|person|user|customer)s?([ _-]?(id|no|nr|number))?", re.I
)
_MOST_NUMBERS = {"f": 20, "i": 50, "u": 50}


def read_table(data: OwnData) -> Samples:
    """The rows of a CSV. Rows without a label are left out, and so are columns without information.

    A column of numbers (also with a decimal comma) is numeric; any other has a category for each text. Raises
    DataError for a file that is too large or not such a table, UsageError or UnknownName for columns that do
    not exist.
    """
    data.refuse("a table", "image_size", "symmetries")
    remarks: list[str] = []
    table = parse_table(Path(data.path), data.target, remarks)
    if data.target is None:
        names = some([printable(str(name)) for name in table], 12)
        raise UsageError(f"{data.path}: no target column is given; name one of {names}")
    for column in (data.target, data.group):
        if column is not None and column not in table:
            raise UnknownName("column", column, [str(name) for name in table])
    labelled = table[data.target].notna().to_numpy()
    if not labelled.all():
        texts = missing_texts(Path(data.path), list(table).index(data.target))
        read = f" ({some([repr(text) for text in texts])} there is read as missing)" if texts else ""
        remarks.append(f"{plural(int((~labelled).sum()), 'row')} without {data.target!r} left out{read}")
    if not labelled.any():
        raise DataError(f"{data.path}: the column {data.target!r} is empty; choose another target")
    # This includes rows without a label; without them, row numbers would have gaps.
    numbering = {name for name in table if _numbers_rows(table[name]) or _numbers_rows(table[name][labelled])}
    row_numbers, table = np.flatnonzero(labelled), table[labelled]
    classes, y = _labels(table[data.target], f"{data.path}: the column {data.target!r}")
    groups = None if data.group is None else _groups(table[data.group], remarks)
    features = table.drop(columns=[name for name in (data.target, data.group) if name is not None])
    x, columns = _features(features, numbering, str(data.path), remarks)
    return Samples(
        kind=get_kind("table"),
        x=x,
        y=y,
        classes=classes,
        names=[f"row {number + 1}" for number in row_numbers],
        groups=groups,
        columns=columns,
        warnings=remarks,
    )


def _labels(column: pd.Series, what: str) -> tuple[list[str], np.ndarray]:
    """The classes in order, and the class of each row. Raises DataError for values that are not labels."""
    numeric = column.dtype.kind in "iuf"
    given = column.to_numpy() if numeric else column.astype(str).to_numpy(dtype=object)
    values, y = np.unique(given, return_inverse=True)
    if len(values) == 1:
        raise DataError(f"{what} has only one value, {values[0]!s}; expected at least two classes")
    whole = values.dtype.kind in "iu" or (values.dtype.kind == "f" and bool((values % 1 == 0).all()))
    if numeric:
        most = _MOST_NUMBERS["i" if whole else values.dtype.kind]
    else:
        most = _MOST_NUMBERS["i"] if is_quantity(column.astype(str)) else len(y)
    if len(values) > most or 2 * len(values) > len(y):
        raise DataError(
            f"{what} has {len(values)} different values in {len(y)} rows, which looks like a quantity or a "
            "name; fsbench needs a few classes: make them first (low, medium, high)"
        )
    return [printable(str(int(value)) if whole else str(value)) for value in values], y.astype(np.int64)


def _groups(column: pd.Series, remarks: list[str]) -> np.ndarray:
    """The group number of each row: equal values share one; each missing value is a separate group."""
    codes, values = column.mask(column == NOTHING).factorize()
    missing = codes < 0
    if missing.any():
        remarks.append(
            f"{plural(int(missing.sum()), 'row')} without {column.name!r}: each is a separate group"
        )
    numbers: np.ndarray = np.where(missing, len(values) + np.cumsum(missing), codes).astype(np.int64)
    return numbers


def _features(
    table: pd.DataFrame, numbering: set[Hashable], path: str, remarks: list[str]
) -> tuple[np.ndarray, tuple[int, ...]]:
    """The stored columns float32 `[N, F]`, and the number of categories of each (0: numeric)."""
    stored: list[np.ndarray] = []
    columns: list[int] = []
    dropped: dict[str, list[str]] = {}
    for name in table:
        values, categories = _column(table[name])
        reason = _NUMBERS if name in numbering else _says_nothing(values, categories)
        if reason:
            dropped.setdefault(reason, []).append(repr(printable(str(name))))
        else:
            stored.append(values)
            columns.append(categories)
        if _SOMEBODY.fullmatch(str(name)) and table[name].duplicated().any():
            remarks.append(
                f"column {name!r} is a feature; if rows with equal values belong together, give it as the "
                "group"
            )
    remarks += [f"column {some(names)} left out: {reason}" for reason, names in dropped.items()]
    if not stored:
        raise DataError(f"{path}: no column is left to learn from ({some(remarks)})")
    x = as_float32(np.stack(stored, axis=1), remarks)
    plain = not any(columns) and not np.isnan(x).any()
    return x, () if plain else tuple(columns)


def _column(column: pd.Series) -> tuple[np.ndarray, int]:
    """The values float64 `[N]`, NaN if missing: numbers and 0, or codes and the number of categories."""
    if column.dtype.kind in "iufb":
        return column.to_numpy(dtype=np.float64), 0
    codes, texts = column.factorize(sort=True)
    return np.where(codes < 0, np.nan, codes.astype(np.float64)), len(texts)


def _says_nothing(values: np.ndarray, categories: int) -> str | None:
    """Why a column contains nothing to learn from, or None."""
    known = np.sort(values[~np.isnan(values)])
    if not len(known) or known[0] == known[-1]:
        return "it has only one value"
    if categories == len(known):
        return "every row has a different text"
    if categories > MAX_CATEGORIES:
        return f"it has more than {MAX_CATEGORIES} different texts"
    return None


def _numbers_rows(column: pd.Series) -> bool:
    """Whether different whole numbers only rise, only fall, or are consecutive from 0 or 1 in any order."""
    values = column.to_numpy()
    if values.dtype.kind not in "iuf" or len(values) < 2 or not np.isfinite(values).all():
        return False
    if (values % 1 != 0).any():
        return False
    ranks = np.sort(values)
    counted = ranks[0] in (0, 1) and (ranks == ranks[0] + np.arange(len(ranks))).all()
    return bool(counted or (values[1:] > values[:-1]).all() or (values[1:] < values[:-1]).all())
