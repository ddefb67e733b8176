"""What the columns of a table become: numbers, categories, dates as numbers of days, or nothing."""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable
from typing import TYPE_CHECKING

import numpy as np

from fsbench.errors import DataError
from fsbench.own.column import Column, days
from fsbench.own.samples import columns_named, some

if TYPE_CHECKING:
    import pandas as pd

MAX_CATEGORIES = 200
_NUMBERS = "row numbers only"
_AMBIGUOUS = "dates that may be day/month or month/day; write them as 2024-01-31"
_SOMEBODY = re.compile(
    r"(patient|subject|participant|person|user|customer)s?([ _-]?(id|no|nr|number))?", re.I
)
_DATE = re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}([ T]\d{1,2}:\d{2}.*)?")
_ORDERS = ("%Y{0}%m{0}%d", "%d{0}%m{0}%Y", "%m{0}%d{0}%Y")
_TIMES = ("", " %H:%M", " %H:%M:%S", "T%H:%M", "T%H:%M:%S")


def choose_columns(
    table: pd.DataFrame, numbering: Collection[Hashable], path: str, remarks: list[str]
) -> list[Column]:
    """The columns of the labelled rows that say something; the remarks name the others, and dates.

    Raises DataError if there are none.
    """
    found: list[Column] = []
    dropped: dict[str, list[Hashable]] = {}
    for name in table:
        column, reason = _column(table[name])
        reason = _NUMBERS if name in numbering else reason
        if column is None or reason:
            dropped.setdefault(reason, []).append(name)
        else:
            found.append(column)
        if _SOMEBODY.fullmatch(str(name)) and table[name].duplicated().any():
            remarks.append(
                f"column {name!r} is a feature; if rows with equal values belong together, give it as the "
                "group"
            )
    if dates := [column.name for column in found if column.date]:
        remarks.append(
            f"{columns_named(dates)}: dates, which become numbers of days; if the month or the weekday "
            "matters, add a column with it"
        )
    remarks += [f"{columns_named(names)} left out: {reason}" for reason, names in dropped.items()]
    if not found:
        raise DataError(f"{path}: no column is left to learn from ({some(remarks)})")
    return found


def _column(column: pd.Series) -> tuple[Column | None, str]:
    """A column as it is used, or None with the reason why it is left out."""
    known = column.dropna()
    if known.nunique() < 2:
        return None, "only one value"
    if column.dtype.kind in "iufb":
        return Column(column.name), ""
    texts = known.astype(str)
    formats = _date_formats(texts)
    if len(formats) > 1:
        return None, _AMBIGUOUS
    if formats:
        return Column(column.name, date=formats[0]), ""
    different = sorted(texts.unique())
    if len(different) == len(texts):
        return None, "a different text in every row"
    if 2 * len(different) > len(texts):
        return None, "a text of its own in most rows"
    if len(different) > MAX_CATEGORIES:
        return None, f"more than {MAX_CATEGORIES} different texts"
    return Column(column.name, tuple(different)), ""


def _date_formats(texts: pd.Series) -> list[str]:
    """The formats under which all texts are dates; two if day and month cannot be told apart."""
    match = _DATE.fullmatch(texts.iloc[0])
    if not match or not texts.str.fullmatch(_DATE).all():
        return []
    orders = [order.format(match[1]) for order in _ORDERS]
    times = [time for time in _TIMES if bool(match[2]) == bool(time)]
    formats = [order + time for order in orders for time in times]
    return [each for each in formats if not np.isnan(days(texts, each)).any()]
