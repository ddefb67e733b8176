"""What was decided while data was read, so that further inputs can be read in the same way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from fsbench.errors import DataError
from fsbench.own.accents import one_form
from fsbench.own.column import Column
from fsbench.own.dates import FORMATS


@dataclass(frozen=True)
class Form:
    """How inputs become stored samples of a kind, with the shape `shape`.

    `columns` are those of a table with names; the only one may have texts, or the paths of images. `shifts`
    is subtracted from the numbers of a table. `fills` says whether missing values are filled in. `bits` is
    the depth by whose range deep images are scaled, 0 if none was deep, and `white` the value of white in an
    npz.
    """

    kind: str
    shape: tuple[int, ...]
    columns: tuple[Column, ...] = ()
    shifts: tuple[float, ...] = ()
    fills: bool = False
    bits: int = 0
    white: float = 255.0

    @property
    def of(self) -> Literal["pictures", "columns", "rows", "texts"]:
        """What the inputs are: pictures, a table with the names of its columns, rows of numbers, or texts."""
        if len(self.shape) == 3:
            return "pictures"
        if self.columns:
            return "texts" if self.columns[0].is_text else "columns"
        return "rows"

    def to_dict(self) -> dict[str, Any]:
        """A JSON-serialisable dictionary."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Form:
        """Read what `to_dict` wrote. Raises DataError for anything else."""
        match values:
            case {
                "kind": str(kind),
                "shape": list(shape),
                "columns": list(columns),
                "shifts": list(shifts),
                "fills": bool(fills),
                "bits": int(bits),
                "white": int() | float() as white,
            } if all(type(size) is int and 0 < size < 2**20 for size in shape):
                read = tuple(map(_column, columns))
                numbers = all(isinstance(each, int | float) and math.isfinite(each) for each in shifts)
                if numbers and len(shifts) in (0, shape[0]) and len(read) in (0, 1, shape[0]):
                    return cls(kind, tuple(shape), read, tuple(shifts), fills, bits, float(white))
        raise DataError("what it says about inputs is not what fsbench writes")


def _column(values: Any) -> Column:
    match values:
        case {"name": str(name), "texts": list(texts), "date": str(date)} if date in ("", *FORMATS) and all(
            isinstance(text, str) for text in texts
        ):
            return Column(one_form(name), tuple(texts), date, values.get("is_text") is True)
    raise DataError(f"{str(values)[:60]!r} is not a column of a table")
