"""What the readers return: samples as they were found, before any are left out or grouped."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from fsbench.kinds import Kind
from fsbench.own.form import Form
from fsbench.own.likeness import NEAR
from fsbench.words import plural

TRAIN, VAL, TEST = 0, 1, 2
PARTS = ("train", "val", "test")
SOURCE, TARGET = 0, 1
Progress = Callable[[int, int], None]
"""Called with the number of files read so far, and the number of all files."""

_SHOWN = 3
_FRACTION = re.compile(r"[+-]?\d*[.,]\d+")


@dataclass
class Inputs:
    """Inputs without labels, read like some samples: `x` `[U, ...]`, and `looks` `[U, T]` of images.

    `groups` int64 `[U]` are numbered as those of the samples.
    """

    x: np.ndarray
    looks: np.ndarray | None = None
    groups: np.ndarray | None = None

    def keep(self, kept: np.ndarray) -> Inputs:
        """The inputs of a boolean mask `[U]`."""
        looks, groups = (None if each is None else each[kept] for each in (self.looks, self.groups))
        return Inputs(self.x[kept], looks, groups)


@dataclass
class Samples:
    """Samples `x`, as their `kind` stores them (readers give numbers of tables as float64), with class
    numbers `y` int64 `[N]`.

    `names` has the names of the samples in warnings. `part` int8 `[N]` is TRAIN, VAL or TEST if the data is
    divided. `groups` int64 `[N]` numbers the groups of samples that belong together. `columns` is that of
    `DatasetInfo`, and `features` names the columns of a table; `ids` bool `[F]` tells which of them may be an
    ID. `looks` float32 `[N, T]` are what images
    (thumbnails) or texts (counts) are compared by; those with at least the correlation `near` are
    near-duplicates. `domain` int8 `[N]` is SOURCE or TARGET if there are two domains, whose names are in
    `domains`; `dividing` names the column that divides them, if there is one. `unlabeled` are further inputs.
    `warnings` are lines for the user. `form` says how further samples are read alike.
    """

    kind: Kind
    x: np.ndarray
    y: np.ndarray
    classes: list[str]
    names: Sequence[str]
    part: np.ndarray | None = None
    groups: np.ndarray | None = None
    columns: tuple[int, ...] = ()
    features: Sequence[str] = ()
    ids: np.ndarray | None = None
    looks: np.ndarray | None = None
    near: float = NEAR
    domain: np.ndarray | None = None
    domains: tuple[str, str] = ("", "")
    dividing: str | None = None
    unlabeled: Inputs | None = None
    warnings: list[str] = field(default_factory=list)
    form: Form | None = None

    def keep(self, kept: np.ndarray) -> Samples:
        """The samples of a boolean mask `[N]`; classes without samples are dropped."""
        left, y = np.unique(self.y[kept], return_inverse=True)
        rows: dict[str, Any] = {name: getattr(self, name) for name in ("part", "groups", "looks", "domain")}
        rows = {name: None if array is None else array[kept] for name, array in rows.items()}
        classes = [self.classes[label] for label in left]
        names = [name for name, keep in zip(self.names, kept, strict=True) if keep]
        return replace(self, x=self.x[kept], y=y.astype(np.int64), classes=classes, names=names, **rows)


def may_be_ids(x: np.ndarray, form: Form | None) -> np.ndarray:
    """Which columns of numbers float64 `[N, F]` may be an ID or a time of entry, bool `[F]`.

    These are whole numbers, or dates, that differ in every row.
    """
    dates = [bool(column.date) for column in form.columns] if form and form.columns else False
    different = np.array([len(np.unique(column)) == len(x) for column in x.T])
    with np.errstate(invalid="ignore"):
        found: np.ndarray = different & ((x % 1 == 0).all(0) | np.array(dates))
    return found


def shifts_for(x: np.ndarray) -> tuple[float, ...]:
    """What to subtract from each column of numbers `[N, F]`, so that float32 does not merge values.

    It is the median where that would happen (to times in milliseconds, for example), otherwise 0. This does
    no harm, because tables are standardised later. `()` if all are 0.
    """
    with np.errstate(over="ignore"):
        found = x.astype(np.float32)
    shifts = np.zeros(x.shape[1])
    for column in np.flatnonzero((found != x).any(0)) if x.dtype != np.float32 else ():
        known = np.isfinite(found[:, column])
        exact = x[known, column].astype(np.float64)
        if len(np.unique(found[known, column])) < len(np.unique(exact)):
            shifts[column] = np.median(exact)
    return tuple(shifts.tolist()) if shifts.any() else ()


def as_float32(x: np.ndarray, remarks: list[str], shifts: tuple[float, ...] = ()) -> np.ndarray:
    """Numbers `[N, F]` less their `shifts`, as float32; infinite or huge values count as missing."""
    with np.errstate(over="ignore"):
        # A value that float32 cannot hold is missing, whatever is subtracted.
        infinite = np.isinf(x.astype(np.float32))
        found = (x - np.array(shifts)).astype(np.float32) if shifts else x.astype(np.float32)
    found[infinite] = np.inf
    infinite = np.isinf(found)
    if infinite.any():
        remarks.append(f"{plural(int(infinite.sum()), 'infinite or huge number')} counted as missing")
        found[infinite] = np.nan
    return found


def safe_name(text: str) -> str:
    """A name from a file system or a file, without characters that could disturb a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


def some(names: Sequence[str], shown: int = _SHOWN, count: int | None = None) -> str:
    """The first few of some names, and how many more (of `count`) there are: `a, b, c and 4 more`."""
    count = len(names) if count is None else count
    more = f" and {count - shown} more" if count > shown else ""
    return ", ".join(names[:shown]) + more


def warn_of_spellings(names: Iterable[str], one: str, several: str, remarks: list[str]) -> None:
    """Warn of names, of a class for example, that differ only in case, in spaces around them or in zeros."""
    alike: dict[str, list[str]] = {}
    equal: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(name.strip().casefold(), []).append(repr(safe_name(name)))
        if _FRACTION.fullmatch(name):
            equal.setdefault(name.rstrip("0"), []).append(repr(safe_name(name)))
    for found, how in ((alike, "differ only in case or spaces"), (equal, "are equal numbers")):
        if twice := [name for same in found.values() if len(same) > 1 for name in same]:
            remarks.append(f"{several} {some(twice)} {how}; if they are one {one}, write them alike")


def because(remarks: Sequence[str]) -> str:
    """The last remark, in brackets after an error to which it may have led; nothing if there is none."""
    return f" ({remarks[-1]})" if remarks else ""


def columns_named(names: Sequence[Hashable]) -> str:
    """The first few columns of a table in words: `column 'a'`, or `columns 'a', 'b'`."""
    shown = [repr(safe_name(str(name))) for name in names]
    return f"{'column' if len(shown) == 1 else 'columns'} {some(shown)}"
