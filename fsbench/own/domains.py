"""Two domains of the user's own data: learn from one, be tested on the other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fsbench.errors import DataError, UnknownName, UsageError
from fsbench.own.form import Form
from fsbench.own.pictures import with_channels
from fsbench.own.samples import SOURCE, TARGET, Samples, safe_name, some
from fsbench.words import plural

if TYPE_CHECKING:
    import pandas as pd

_FEWEST = 2


def read_domains(table: pd.DataFrame, wanted: str, path: str) -> tuple[str, np.ndarray, tuple[str, str]]:
    """The column of `wanted` (`COLUMN` or `COLUMN=VALUE`), the domain of each row, and the domains' names.

    The tested domain has the value, or is the second to appear. Raises UnknownName, or UsageError for a
    column without two values.
    """
    column, _, value = (wanted, "", "") if wanted in table else wanted.rpartition("=")
    if column not in table:
        raise UnknownName("column", column or wanted, [str(name) for name in table])
    if table[column].isna().any():
        missing = plural(int(table[column].isna().sum()), "row")
        raise DataError(f"{path}: {missing} without a value of {column!r}; give each row its domain")
    values = table[column].map(_text)
    known = list(dict.fromkeys(values))
    if value not in known and value.lower() in ("true", "false"):
        value = value.capitalize()
    if value and value not in known:
        raise UnknownName(f"value of {column}", value, known)
    if len(known) != 2 and not value:
        shown = some([repr(safe_name(each)) for each in known])
        raise UsageError(
            f"{path}: the column {column!r} has {plural(len(known), 'value')} ({shown}); name the domain to "
            f"be tested: {column}={safe_name(known[-1])}"
        )
    tested = value or known[1]
    others = [each for each in known if each != tested]
    if not others:
        raise UsageError(f"{path}: every row has {column}={tested}; expected a second domain to learn from")
    domain = np.where(values == tested, TARGET, SOURCE).astype(np.int8)
    return column, domain, (others[0] if len(others) == 1 else f"not {tested}", tested)


def join(source: Samples, target: Samples, path: str) -> Samples:
    """Two readings of one kind as the two domains of one. Raises DataError if they differ in shape."""
    if source.part is not None or target.part is not None:
        raise UsageError(
            f"{path}: data with given parts cannot be one of two domains; give each without parts"
        )
    if source.kind is not target.kind:
        raise DataError(f"{path} is {target.kind.name} data, the source {source.kind.name} data")
    channels = max(source.x.shape[1], target.x.shape[1])
    x, other = (with_channels(each.x, channels) for each in (source, target))
    if x.shape[1:] != other.shape[1:]:
        raise DataError(f"{path} has samples of {list(other.shape[1:])}, the source of {list(x.shape[1:])}")
    classes = sorted({*source.classes, *target.classes})
    places = [np.array([classes.index(name) for name in each.classes]) for each in (source, target)]
    looks = None
    if source.looks is not None and target.looks is not None:
        looks = np.concatenate([source.looks, target.looks])
    groups = None
    if source.groups is not None or target.groups is not None:
        groups = np.concatenate([_groups(source), _groups(target)])
    return Samples(
        kind=source.kind,
        x=np.concatenate([x, other]),
        y=np.concatenate([places[0][source.y], places[1][target.y]]),
        classes=classes,
        names=[*source.names, *(f"{name} of the target" for name in target.names)],
        groups=groups,
        features=source.features,
        looks=looks,
        domain=np.repeat(np.array([SOURCE, TARGET], dtype=np.int8), [len(source.y), len(target.y)]),
        warnings=[*source.warnings, *target.warnings],
        form=_form(source.form, target.form, x.shape[1:]),
    )


def _form(source: Form | None, target: Form | None, shape: tuple[int, ...]) -> Form | None:
    """How further inputs become samples: they are of the target, so images have its range."""
    if source is None or target is None:
        return source
    return replace(source, shape=shape, bits=target.bits, white=target.white)


def separate(samples: Samples, path: str) -> tuple[Samples, Samples]:
    """The source and the target, with the same classes and no group in both.

    Source samples that belong to a target sample are left out, and so are classes with fewer than two samples
    in either. Raises DataError if fewer than two classes remain.
    """
    assert samples.domain is not None
    tested, alike = samples.domain == TARGET, []
    if samples.groups is not None:
        twice = ~tested & np.isin(samples.groups, samples.groups[tested])
        if twice.any():
            alike.append(
                f"{plural(int(twice.sum()), samples.kind.sample)} of the source left out: they are like "
                "samples of the target, or belong to them, so the test would be too easy"
            )
            samples.warnings += alike
            samples, tested = samples.keep(~twice), tested[~twice]
    few = np.minimum(_units(samples, ~tested), _units(samples, tested)) < _FEWEST
    for label in np.flatnonzero(few):
        samples.warnings.append(
            f"class {samples.classes[label]!r} left out: source and target each need two of its "
            f"{samples.kind.sample}s that do not belong together"
        )
    if (~few).sum() < 2:
        why = "; ".join(dict.fromkeys([*alike, *samples.warnings[-2:]]))
        raise DataError(f"{path}: two domains need two classes in common{f' ({why})' if why else ''}")
    kept = ~few[samples.y]
    return samples.keep(kept & ~tested), samples.keep(kept & tested)


def _units(samples: Samples, chosen: np.ndarray) -> np.ndarray:
    """The number of groups of each class among some samples, int64 `[C]`."""
    pairs = np.unique(np.stack([samples.y[chosen], _groups(samples)[chosen]]), axis=1)
    return np.bincount(pairs[0], minlength=len(samples.classes))


def _groups(samples: Samples) -> np.ndarray:
    """The group number of each sample, int64 `[N]`; each is a group of its own where none are given."""
    return np.arange(len(samples.y)) if samples.groups is None else samples.groups


def _text(value: object) -> str:
    """A value of a domain column as text; whole numbers without a decimal point."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
