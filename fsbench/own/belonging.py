"""Which samples belong together (near-duplicates, equal rows and given groups), and warnings about them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from fsbench.own.likeness import MOST, alike, links, same, together
from fsbench.own.samples import Inputs, Samples, columns_named, some
from fsbench.words import plural

_SHOWN = 2
_COPIES_AGREE = 0.8


def find_groups(samples: Samples) -> np.ndarray | None:
    """The group number of each sample, int64 `[N]`, by given groups or similarity; None if all differ.

    Near-duplicates are not grouped if their sets make up most of the classes, as on one background, nor are
    equal rows if most rows equal another. Warns about this, and about matches with different classes or
    parts.
    """
    n = len(samples.y)
    sets = _equal_rows(samples) if samples.looks is None else _alike(samples, samples.looks)
    groups = sets if samples.groups is None else together(n, links(sets), samples.groups)
    return groups if len(np.unique(groups)) < n else None


def repeats(samples: Samples, more: Inputs) -> np.ndarray:
    """Which unlabelled inputs repeat a labelled sample, as a mask bool `[U]`.

    These are near-duplicates of labelled images or texts, or only equal ones if they are too many to compare,
    or most unlabelled ones have a near-duplicate; in tables, equal rows, unless most labelled rows equal
    another.
    """
    n = len(samples.y)
    if samples.looks is None or more.looks is None:
        used = _compared(samples)
        coarse = _is_coarse(samples, used, same(samples.x[:, used]))
        rows = np.concatenate([samples.x, more.x])[:, used]
        return np.zeros(len(more.x), dtype=np.bool_) if coarse else _paired([same(rows)], n, len(rows))
    looks = np.concatenate([samples.looks, more.looks])
    equal = _paired([same(looks)], n, len(looks))
    if len(looks) > MOST:
        return equal
    near = _paired(alike(looks, samples.near), n, len(looks))
    return equal if 2 * (near & ~equal).sum() > len(near) else near


def belong(samples: Samples, more: Inputs) -> np.ndarray:
    """Which unlabelled inputs repeat a labelled sample or are of its given group, as a mask bool `[U]`."""
    twice = repeats(samples, more)
    if more.groups is None or samples.groups is None:
        return twice
    return twice | np.isin(more.groups, samples.groups)


def _paired(blocks: Iterable[np.ndarray], first: int, n: int) -> np.ndarray:
    """Which of the samples from number `first` to `n` have a partner before `first` in pairs `[P, 2]`."""
    found = np.zeros(n, dtype=np.bool_)
    for pairs in blocks:
        found[pairs[(pairs[:, 0] < first) & (pairs[:, 1] >= first), 1]] = True
    return found[first:]


def _equal_rows(samples: Samples) -> np.ndarray:
    n = len(samples.y)
    used = _compared(samples)
    pairs = same(samples.x[:, used])
    if _is_coarse(samples, used, pairs):
        samples.warnings.append(
            f"{len(np.unique(pairs))} of {n} rows equal another row: the table is coarse, so equal rows are "
            "not kept on one side of a split"
        )
        return np.arange(n)
    if used.all():
        found = _Matches.of(samples, "equal rows", "equal")
    else:
        but = columns_named([name for name, kept in zip(samples.features, used, strict=True) if not kept])
        found = _Matches.of(samples, f"rows that are equal except for {but}", f"equal except for {but}")
    found.add(pairs)
    found.tell(samples)
    return found.sets


def _compared(samples: Samples) -> np.ndarray:
    """The columns in which equal rows are looked for, bool `[F]`.

    An ID or a time of entry hides copies of rows, so it is not compared, unless the rows that are equal in
    all other columns do not look like copies: then it may be a measurement.
    """
    every = np.ones(samples.x.shape[1], dtype=np.bool_)
    if samples.ids is None or not samples.ids.any() or samples.ids.all():
        return every
    pairs = same(samples.x[:, ~samples.ids])
    chance = _is_coarse(samples, ~samples.ids, pairs) or (len(pairs) and not _agree(samples.y, pairs))
    return every if chance else ~samples.ids


def _is_coarse(samples: Samples, used: np.ndarray, pairs: np.ndarray) -> bool:
    """Whether rows equal in the columns `used` `[F]`, in pairs `[P, 2]`, are so by chance.

    As in a table with few categories, this is so if most rows equal another one, unless they look like
    copies: nearly all have the class of their equals, and a column of numbers alone tells most different rows
    apart.
    """
    n = len(samples.y)
    if 2 * len(np.unique(pairs)) <= n:
        return False
    first = np.setdiff1d(np.arange(n), pairs[:, 1])
    columns = samples.columns or (0,) * samples.x.shape[1]
    each = zip(samples.x.T, columns, used, strict=True)
    numbers = [column for column, texts, compared in each if compared and not texts]
    fine = any(2 * len(np.unique(column[first])) > len(first) for column in numbers)
    sets = together(n, pairs)
    copied = fine and _agree(samples.y, pairs) and _can_divide(sets, samples.y)
    return not copied or _crowded(sets, samples.y)


def _agree(y: np.ndarray, pairs: np.ndarray) -> bool:
    """Whether pairs `[P, 2]` share a class `y` `[N]` by 80 % of the way from chance to always, or more."""
    chance = ((np.bincount(y) / len(y)) ** 2).sum()
    shared = (y[pairs[:, 0]] == y[pairs[:, 1]]).mean()
    return bool(shared >= chance + _COPIES_AGREE * (1 - chance))


def _alike(samples: Samples, looks: np.ndarray) -> np.ndarray:
    """The sets of near-duplicates or, if samples are too many or too similar, of equal ones; or none."""
    n, what = len(looks), f"{samples.kind.sample}s"
    if n > MOST:
        samples.warnings.append(
            f"more than {MOST} {what}: only equal {what} are searched for, not near-duplicates"
        )
    else:
        found = _Matches.of(samples, f"near-duplicate {what}", f"near-duplicate {what}")
        if found.gather(alike(looks, samples.near), samples.y) and _can_divide(found.sets, samples.y):
            found.tell(samples)
            return found.sets
        samples.warnings.append(
            f"{what} are too similar to find near-duplicates (one background or template, perhaps): only "
            f"equal {what} are kept on one side of a split"
        )
    found = _Matches.of(samples, f"equal {what}", f"equal {what}")
    if found.gather([same(looks)], samples.y):
        found.tell(samples)
        return found.sets
    samples.warnings.append(
        f"most {what} are identical to most others of their class, so equal {what} are not kept on one "
        "side of a split"
    )
    return np.arange(n)


@dataclass
class _Clash:
    """Matching pairs whose `values` `[N]` differ: their number, and the names of the first."""

    values: np.ndarray
    problem: str
    count: int = 0
    shown: list[str] = field(default_factory=list)

    def add(self, pairs: np.ndarray, names: Sequence[str]) -> None:
        apart = pairs[self.values[pairs[:, 0]] != self.values[pairs[:, 1]]]
        self.count += len(apart)
        self.shown += [f"{names[i]} and {names[j]}" for i, j in apart[: _SHOWN - len(self.shown)]]


@dataclass
class _Matches:
    """A summary of any number of matching pairs `[P, 2]`: the sets that they join, counts, examples."""

    names: Sequence[str]
    sets: np.ndarray
    matched: np.ndarray
    clashes: list[_Clash]
    alike: str

    @classmethod
    def of(cls, samples: Samples, what: str, alike: str) -> _Matches:
        clashes = [_Clash(samples.y, f"{what} have different classes")]
        if samples.part is not None:
            problem = f"{what} are in different parts, so the test is too easy"
            clashes.append(_Clash(samples.part, problem))
        n = len(samples.y)
        return cls(samples.names, np.arange(n), np.zeros(n, dtype=np.bool_), clashes, alike)

    def add(self, pairs: np.ndarray) -> bool:
        """Add some pairs; returns whether they join sets that were separate."""
        self.matched[pairs] = True
        for clash in self.clashes:
            clash.add(pairs, self.names)
        new = pairs[self.sets[pairs[:, 0]] != self.sets[pairs[:, 1]]]
        if len(new):
            self.sets = together(len(self.sets), new, self.sets)
        return len(new) > 0

    def gather(self, blocks: Iterable[np.ndarray], y: np.ndarray) -> bool:
        """Add all pairs; returns False as soon as they turn out to be most of the data."""
        return not any(self.add(pairs) and _crowded(self.sets, y) for pairs in blocks)

    def tell(self, samples: Samples) -> None:
        for clash in self.clashes:
            if clash.count:
                named = some(clash.shown, _SHOWN, clash.count)
                samples.warnings.append(f"{plural(clash.count, 'pair')} of {clash.problem}: {named}")
        if samples.part is None and self.matched.any():
            samples.warnings.append(
                f"{self.matched.sum()} of {len(samples.y)} {samples.kind.sample}s are {self.alike}; each set "
                "of them is kept on one side of a split"
            )


def _crowded(sets: np.ndarray, y: np.ndarray) -> bool:
    """Whether half of all samples or more are in sets that hold more than half of a class."""
    (_, label), counts = np.unique(np.stack([sets, y]), axis=1, return_counts=True)
    large = (counts > 1) & (2 * counts > np.bincount(y)[label])
    return bool(2 * counts[large].sum() >= len(y))


def _can_divide(sets: np.ndarray, y: np.ndarray) -> bool:
    """Whether at least two classes have at least two sets, one for training and one for the test."""
    _, label = np.unique(np.stack([sets, y]), axis=1)
    return bool((np.bincount(label) > 1).sum() > 1)
