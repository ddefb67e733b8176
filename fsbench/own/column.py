"""A column of a table as it is used."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fsbench.own.accents import one_form
from fsbench.own.dates import days

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Column:
    """A column that is used: numbers or, with `texts`, categories or, with the format `date`, dates.

    `date` is one of `dates.FORMATS`. With `is_text`, its values are samples of the kind text.
    """

    name: Hashable
    texts: tuple[str, ...] = ()
    date: str = ""
    is_text: bool = False

    def values(self, table: pd.DataFrame) -> np.ndarray:
        """Its values in a table, float64 `[N]`: numbers, codes of the texts, or days since 1970; or texts.

        Missing values, unknown texts and what is not a date become NaN.
        """
        column = table[self.name]
        if self.is_text:
            texts: np.ndarray = column.to_numpy(dtype=object)
            return texts
        if self.date:
            return days(column, self.date)
        if self.texts:
            numbers = {text: float(code) for code, text in enumerate(self.texts)}
            places, different = column.factorize()
            codes: np.ndarray = np.array(
                [*(numbers.get(one_form(str(text)), np.nan) for text in different), np.nan]
            )
            return np.asarray(codes[places])
        found: np.ndarray = column.to_numpy(dtype=np.float64)
        return found
