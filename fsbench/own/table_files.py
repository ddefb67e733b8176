"""A CSV file: columns of numbers or categories, with missing values, and one column of labels."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fsbench.errors import DataError, UnknownName, UsageError
from fsbench.kinds import get_kind
from fsbench.own.column import Column
from fsbench.own.columns import choose_columns
from fsbench.own.domains import read_domains
from fsbench.own.folders import find_images
from fsbench.own.form import Form
from fsbench.own.given import OwnData
from fsbench.own.listed import located
from fsbench.own.parsing import NOTHING, is_quantity, missing_texts, parse_table
from fsbench.own.samples import (
    SOURCE,
    TARGET,
    Inputs,
    Samples,
    because,
    columns_named,
    safe_name,
    some,
    warn_of_spellings,
)
from fsbench.own.spellings import odd_one
from fsbench.own.unknown import tell_of_unknown
from fsbench.words import plural

if TYPE_CHECKING:
    import pandas as pd

_FEW_ROWS = 8
_COUNTED_ROWS = 10
_VALUE = re.compile(r"[-+]?\d[\d.,:/-]*|Unnamed: \d+")
"""What a file without a line of names has in their place: numbers, dates, nothing."""
_MOST_NUMBERS = {"f": 20, "i": 50, "u": 50}


@dataclass
class _Rows:
    """Labelled rows of one file, their names in warnings, and the columns that only number all its rows.

    `left_out` has the remark on rows without a label, if there is one.
    """

    path: str
    table: pd.DataFrame
    names: list[str]
    numbering: set[Hashable]
    left_out: Sequence[str]


def read_table(data: OwnData) -> Samples:
    """The rows of a CSV. Rows without a label are left out, and so are columns without information.

    A column of numbers (also with a decimal comma) is numeric; one of dates becomes days; any other has a
    category for each text. Raises DataError for a file that is too large or not such a table, UsageError or
    UnknownName for columns that do not exist.
    """
    if data.image is None:
        data.refuse("a table", "image_size", "symmetries")
    remarks: list[str] = []
    domain, domains, dividing = None, ("", ""), None
    if data.target_data is not None:
        rows, other = _two_files(data, remarks)
        domain = np.repeat(np.array([SOURCE, TARGET], dtype=np.int8), [len(rows.table), len(other.table)])
        rows = _join(rows, other, remarks)
    else:
        rows = _labelled_rows(str(data.path), data, remarks)
    if data.domain is not None:
        dividing, domain, domains = read_domains(rows.table, data.domain, str(data.path))
    what = f"{rows.path}: the column {data.target!r}"
    classes, y = _labels(rows.table[data.target], what, because(rows.left_out))
    groups = None if data.group is None else _groups(rows.table[data.group], remarks)
    special = {data.target, data.group, dividing} - {None}
    features = rows.table.drop(columns=list(special))
    columns = [] if data.samples is None else [Column(data.samples, is_text=True)]
    columns = columns or choose_columns(features, rows.numbering, rows.path, remarks)
    counts = tuple(len(column.texts) for column in columns)
    return Samples(
        kind=get_kind("image" if data.image else "text" if data.text else "table"),
        x=_values(columns, features),
        y=y,
        classes=classes,
        names=rows.names,
        groups=groups,
        columns=counts if any(counts) else (),
        features=[str(column.name) for column in columns] if data.samples is None else (),
        domain=domain,
        domains=domains,
        dividing=dividing,
        unlabeled=None if data.unlabeled is None else _unlabelled_rows(data, columns, rows.table, remarks),
        warnings=list(dict.fromkeys(remarks)),  # one file can be read for labels and for what has none
        form=Form("table", (len(columns),), tuple(columns)),
    )


def _values(columns: Sequence[Column], table: pd.DataFrame) -> np.ndarray:
    """The columns that are used, float64 `[N, F]`; or the column of texts or paths, object `[N, 1]`."""
    return np.stack([column.values(table) for column in columns], axis=1)


def _that_count(table: pd.DataFrame, data: OwnData, path: str, remarks: list[str]) -> pd.DataFrame:
    """The samples that a column has and the columns that count beside it; the remarks name the others.

    Images are their paths, without the rows that have none, or that repeat another.
    """
    special = (data.samples, data.target, data.group, *data.domain_columns)
    kept = [name for name in table if name in special]
    if others := [name for name in table if name not in kept]:
        what = "texts" if data.image is None else "images"
        remarks.append(f"{columns_named(others)} of {path} not read: the {what} are in {data.samples!r}")
    table = table[kept]
    if data.image is not None and data.image in table:
        paths = located(table[data.image], Path(path), remarks)
        table = table.loc[paths.index].copy()
        table[data.image] = paths
        if (twice := table.duplicated()).any():
            named = columns_named(kept).partition(" ")[2]
            rows = plural(int(twice.sum()), "row")
            remarks.append(f"{rows} of {path} left out: equal to an earlier row in {named}")
        table = table[~twice]
    return table


def _unknown_column(path: str, column: str, names: Sequence[str], main: bool) -> UsageError:
    """The error for a column that a file does not have, also where its first line has no names."""
    if 2 * sum(bool(_VALUE.fullmatch(name)) for name in names) >= len(names):
        first = some([safe_name(name) for name in names], 5)
        return UsageError(
            f"{path}: no column {column!r}; the first line ({first}) looks like data, and must name the "
            "columns"
        )
    return UnknownName("column" if main else f"column of {path}:", column, names)


def _two_files(data: OwnData, remarks: list[str]) -> list[_Rows]:
    """The labelled rows of the source and the target; labels and groups that are texts in one are in both."""
    paths = (str(data.path), str(data.target_data))
    found = [_labelled_rows(path, data, remarks) for path in paths]
    marks = [name for name in (data.target, data.group) if name is not None]
    if codes := [name for name in marks if len({rows.table[name].dtype.kind == "O" for rows in found}) > 1]:
        found = [_labelled_rows(path, data, remarks, codes) for path in paths]
    return found


def _labelled_rows(path: str, data: OwnData, remarks: list[str], codes: Sequence[str] = ()) -> _Rows:
    """The rows of a file that have a label; numbers in the columns `codes` are texts."""
    table = _parsed(path, data, codes=codes)
    if data.target is None:
        known = some([safe_name(str(name)) for name in table], 12)
        raise UsageError(
            f"{path}: no target column is given; name one by --target COLUMN, or OwnData(path, "
            f"target=COLUMN): {known}"
        )
    for column in (data.target, data.group, data.samples):
        if column is not None and column not in table:
            raise _unknown_column(path, column, [str(name) for name in table], path == str(data.path))
    place = list(table).index(data.target)
    if data.samples is not None:
        table = _that_count(table, data, path, remarks)
    labelled, left_out = table[data.target].notna().to_numpy(), []
    if not labelled.all() and str(data.unlabeled) != path:
        texts = missing_texts(Path(path), place)
        read = f" ({some([repr(text) for text in texts])} there is read as missing)" if texts else ""
        left_out = [f"{plural(int((~labelled).sum()), 'row')} without {data.target!r} left out{read}"]
        remarks += left_out
    if not labelled.any():
        raise DataError(
            f"{path}: the column {data.target!r} is empty; choose another target{because(left_out)}"
        )
    # This includes rows without a label; without them, row numbers would have gaps.
    numbering = {name for name in table if _numbers_rows(table[name]) or _numbers_rows(table[name][labelled])}
    names = [f"row {number + 1}" for number in table.index[labelled]]
    return _Rows(path, table[labelled], names, numbering, left_out)


def _parsed(
    path: str, data: OwnData, fewest: int = 2, texts: Sequence[str] = (), codes: Sequence[str] = ()
) -> pd.DataFrame:
    """The table in a file; the columns `texts` stay texts, and numbers in the columns `codes` are texts."""
    texts = texts if data.samples is None else (*texts, data.samples)
    groups = () if data.group is None else (data.group,)
    return parse_table(Path(path), data.target, fewest, texts, data.domain_columns, groups, codes)


def _join(first: _Rows, second: _Rows, remarks: list[str]) -> _Rows:
    """The rows of two files with the columns of the first."""
    import pandas as pd

    other = _alike(second.table, first.table, second.path, first.path, remarks)
    names = [*first.names, *(f"{name} of {Path(second.path).name}" for name in second.names)]
    table = pd.concat([first.table, other], ignore_index=True)
    left_out = [*first.left_out, *second.left_out]
    return _Rows(first.path, table, names, first.numbering & second.numbering, left_out)


def _alike(
    table: pd.DataFrame, wanted: pd.DataFrame, path: str, like: str, remarks: list[str]
) -> pd.DataFrame:
    """The columns of another table. Raises DataError for missing columns, and texts in place of numbers."""
    if missing := [name for name in wanted if name not in table]:
        raise DataError(f"{path} has no {columns_named(missing)}; expected the columns of {like}")
    if extra := [name for name in table if name not in wanted]:
        remarks.append(f"{columns_named(extra)} of {path} not read: not in {like}")
    for name in wanted:
        empty = table[name].isna().all() or wanted[name].isna().all()
        if not empty and (table[name].dtype.kind == "O") != (wanted[name].dtype.kind == "O"):
            texts, numbers = (path, like) if table[name].dtype.kind == "O" else (like, path)
            odd = odd_one((table if texts == path else wanted)[name])
            raise DataError(
                f"column {safe_name(str(name))!r} has numbers in {numbers} and texts in {texts}, such as "
                f"{odd}; write it in one way"
            )
    return table[list(wanted)]


def _unlabelled_rows(
    data: OwnData, columns: Sequence[Column], labelled: pd.DataFrame, remarks: list[str]
) -> Inputs:
    """The rows of a file whose target is missing, without those of a group that has labelled rows.

    Beside a table that names images, this may be a folder of images.
    """
    path = str(data.unlabeled)
    if Path(path).is_dir():
        return Inputs(np.array([[str(file.path)] for file in find_images(Path(path), remarks)], dtype=object))
    table = _parsed(path, data, fewest=1, texts=[str(column.name) for column in columns if column.texts])
    if data.samples is not None:
        table = _that_count(table, data, path, remarks)
    if data.target in table:
        free = table[data.target].isna()
        if not free.all():
            remarks.append(f"{plural(int((~free).sum()), 'row')} of {path} not read: the label is given")
        table = table[free]
    if table.empty:
        raise DataError(f"{path}: no input without a label is left; leave it out{because(remarks)}")
    used = [column.name for column in columns] + ([] if data.group is None else [data.group])
    unused = [name for name in table if name in labelled and name not in used]
    table = _alike(table.drop(columns=unused), labelled[used], path, str(data.path), remarks)
    if data.group is not None:
        known = labelled[data.group].dropna()
        same = table[data.group].isin(known[known != NOTHING])
        if same.all():
            raise DataError(
                f"{path}: for each row without a label, other rows of the same {data.group!r} have one, and "
                "may be in the test; leave it out"
            )
        if same.any():
            remarks.append(
                f"{plural(int(same.sum()), 'row')} of {path} left out: other rows of the same {data.group!r} "
                "have a label, and may be in the test"
            )
        table = table[~same]
    if data.samples is None:
        for column in columns:
            tell_of_unknown(column, table, remarks, path)
    return Inputs(_values(columns, table))


def _labels(column: pd.Series, what: str, why: str) -> tuple[list[str], np.ndarray]:
    """The classes in order, and the class of each row. Raises DataError for values that are not labels.

    Its message ends with `why` there may be too few classes.
    """
    numeric = column.dtype.kind in "iuf"
    given = column.to_numpy() if numeric else column.astype(str).to_numpy(dtype=object)
    values, y = np.unique(given, return_inverse=True)
    if len(values) == 1:
        raise DataError(f"{what} has only one value, {values[0]!s}; expected at least two classes{why}")
    whole = values.dtype.kind in "iu" or (values.dtype.kind == "f" and bool((values % 1 == 0).all()))
    if numeric:
        most = _MOST_NUMBERS["i" if whole else values.dtype.kind]
    else:
        most = _MOST_NUMBERS["i"] if is_quantity(column.astype(str)) else len(y)
    if len(values) <= most and 2 * len(values) > len(y) and len(y) < _FEW_ROWS:
        rows = plural(len(y), "row")
        raise DataError(f"{what} has {len(values)} classes in {rows}, too few; give a few rows of each class")
    if len(values) > most or 2 * len(values) > len(y):
        raise DataError(
            f"{what} has {len(values)} different values in {len(y)} rows, which looks like a quantity or a "
            "name; fsbench needs a few classes: make them first (low, medium, high)"
        )
    return [safe_name(str(int(value)) if whole else str(value)) for value in values], y.astype(np.int64)


def _groups(column: pd.Series, remarks: list[str]) -> np.ndarray:
    """The group number of each row: equal values share one; each missing value is a separate group."""
    codes, values = column.mask(column == NOTHING).factorize()
    missing = codes < 0
    if len(values) + missing.sum() == len(codes):
        remarks.append(
            f"each row is a group of its own by {column.name!r}; give a column in which rows that belong "
            "together have equal values"
        )
    warn_of_spellings([value for value in values if isinstance(value, str)], "group", "groups", remarks)
    if missing.any():
        remarks.append(
            f"{plural(int(missing.sum()), 'row')} without {column.name!r}: each is a separate group"
        )
    numbers: np.ndarray = np.where(missing, len(values) + np.cumsum(missing), codes).astype(np.int64)
    return numbers


def _numbers_rows(column: pd.Series) -> bool:
    """Whether different whole numbers only rise, only fall, or are consecutive in any order.

    Fewer than ten consecutive numbers must start at 0 or 1, because others may be consecutive by chance.
    """
    values = column.to_numpy()
    if values.dtype.kind not in "iuf" or len(values) < 2 or not np.isfinite(values).all():
        return False
    if (values % 1 != 0).any():
        return False
    ranks = np.sort(values)
    starts = ranks[0] in (0, 1) or len(ranks) >= _COUNTED_ROWS
    counted = starts and (ranks == ranks[0] + np.arange(len(ranks))).all()
    return bool(counted or (values[1:] > values[:-1]).all() or (values[1:] < values[:-1]).all())
