"""A CSV file: columns of numbers or categories, with missing values, and one column of labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fsbench.errors import DataError, UnknownName, UsageError
from fsbench.kinds import get_kind
from fsbench.own.columns import choose_columns
from fsbench.own.given import OwnData
from fsbench.own.parsing import NOTHING, is_quantity, missing_texts, parse_table
from fsbench.own.samples import Samples, as_float32, printable, some
from fsbench.words import plural

if TYPE_CHECKING:
    import pandas as pd

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
    columns = choose_columns(features, numbering, str(data.path), remarks)
    x = as_float32(np.stack([column.values(features) for column in columns], axis=1), remarks)
    counts = tuple(len(column.texts) for column in columns)
    return Samples(
        kind=get_kind("table"),
        x=x,
        y=y,
        classes=classes,
        names=[f"row {number + 1}" for number in row_numbers],
        groups=groups,
        columns=counts if any(counts) or np.isnan(x).any() else (),
        features=[str(column.name) for column in columns],
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
