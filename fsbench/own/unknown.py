"""Remarks about values of further tables that the labelled data does not allow for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fsbench.own.column import Column
from fsbench.own.dates import example
from fsbench.own.samples import safe_name, some
from fsbench.words import plural

if TYPE_CHECKING:
    import pandas as pd


def tell_of_unknown(column: Column, table: pd.DataFrame, remarks: list[str], path: str = "") -> None:
    """Add a remark about a column's values that count as missing; `path` is the table's file, to name it."""
    given = table[column.name]
    unknown = given[np.isnan(column.values(table)) & given.notna()]
    if len(unknown):
        what = "a text that was not in the training data"
        what = what if column.texts else f"no date as in training, such as {example(column.date)}"
        shown = some([repr(safe_name(text)) for text in unknown.astype(str).unique()])
        where = f" of {path}" if path else ""
        remarks.append(
            f"column {safe_name(str(column.name))!r}{where}: {plural(len(unknown), 'row')} with {what} "
            f"({shown}), which counts as missing"
        )
