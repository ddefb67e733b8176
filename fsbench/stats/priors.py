"""What the rows of a table let expect of each other's variances.

A few splits say little about a variance, but the other rows of a table say which variances are usual. As in
a moderated t test (Smyth 2004, "Linear models and empirical Bayes methods for assessing differential
expression in microarray experiments"), a row's variance is a weighted mean of its own and of an expected one.
Rows differ more than genes do, however: a few are often far less stable than the rest. With a single expected
variance, these get wrong verdicts. So several are possible, each with a probability (a mixture of the priors
of that test), and whatever the other rows say, any of them keeps a small one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fsbench.stats.sample import Rows, Sample

# The degrees of freedom with which an expected variance counts, the ratio of neighbouring ones, and how many
# there are above those of all rows. These, the weight of an even distribution, in rows, and the smallest
# numbers of rows and splits were chosen by simulation: see docs/statistics.md.
LENT = 6.0
_RATIO = 4.0
_ABOVE = 3
_EVEN = 2.0
_FEWEST_ROWS = 6
_FEWEST_SPLITS = 3
_ROUNDS = 60
_NEGLIGIBLE = 1e-7
_SMALLEST = 1e-300

Expected = tuple[tuple[float, float], ...]
"""Possible variances between splits: pairs of a probability and a variance."""


@dataclass(frozen=True)
class Prior:
    """What the variances of other rows let expect of a row's variance between splits; empty for nothing.

    The variances in `scaled` are relative to `own`, for rows where that is known (`Sample`); those in `plain`
    are for the others.
    """

    scaled: Expected = ()
    plain: Expected = ()


NO_PRIOR = Prior()


class Guesses(NamedTuple):
    """Variances between splits that R rows may have.

    The variances `[R, K]` have the probabilities `[R, K]`; those of a row have the same degrees of freedom,
    `df [R]`.
    """

    probability: np.ndarray
    variance: np.ndarray
    df: np.ndarray


def fit_prior(samples: Iterable[Sample]) -> Prior:
    """The prior of the rows of a table; fewer than six rows, with `own` or without, let expect nothing.

    Rows of two splits say too little about the others, and those of zeros, of a strategy that changes no
    result, nothing; both are left out.
    """
    known = [
        sample
        for sample in samples
        if len(sample.values) >= _FEWEST_SPLITS and sample.spread is not None and any(sample.values)
    ]
    return Prior(
        _expected([sample for sample in known if sample.own is not None]),
        _expected([sample for sample in known if sample.own is None]),
    )


def guesses(rows: Rows, expected: Expected) -> Guesses:
    """What the variances between splits of rows may be: of rows that all have `own`, or that all lack it.

    Without expected variances, or with two splits, they are the spreads.
    """
    spread, df = rows.spread[:, None], rows.n[:, None] - 1.0
    if not expected:
        return Guesses(np.ones_like(spread), spread, df[:, 0])
    chances, usual = np.array(expected).T
    variances = _scales(rows)[:, None] * usual
    weights = chances * _likelihoods(spread, df, variances)
    weights[weights <= _NEGLIGIBLE * weights.sum(1, keepdims=True)] = 0.0
    weights /= weights.sum(1, keepdims=True)
    lent = np.where(rows.n < _FEWEST_SPLITS, 0.0, LENT)[:, None]
    return Guesses(weights, (lent * variances + df * spread) / (lent + df), (lent + df)[:, 0])


def _scales(rows: Rows) -> np.ndarray:
    """What the variances between splits are compared with across rows, `[R]`."""
    scales = np.maximum(np.maximum(rows.own, rows.resolution**2), _SMALLEST)
    return np.where(np.isnan(rows.own), 1.0, scales)


def _expected(samples: Sequence[Sample]) -> Expected:
    """The expected variances of some rows: their probabilities make those of the rows most likely.

    They are found by expectation maximisation.
    """
    if len(samples) < _FEWEST_ROWS:
        return ()
    rows = Rows.of(samples)
    ratios, df = rows.spread / _scales(rows), rows.n - 1
    # Sorted, so that the order of the rows changes nothing.
    order = np.lexsort((df, ratios))
    spreads, df = ratios[order, None], df[order, None]
    steps = int(math.log(spreads[-1, 0] / spreads[0, 0], _RATIO)) + 2 + _ABOVE
    variances = spreads.min() * _RATIO ** np.arange(steps)
    likelihoods, chances = _likelihoods(spreads, df, variances), np.full(steps, 1 / steps)
    for _ in range(_ROUNDS):
        shares = likelihoods * chances
        shares /= shares.sum(1, keepdims=True)
        chances = (shares.sum(0) + _EVEN / steps) / (len(samples) + _EVEN)
    return tuple(zip(chances.tolist(), variances.tolist(), strict=True))


def _likelihoods(spreads: np.ndarray, df: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """How likely spreads `[R, 1]` with degrees of freedom `[R, 1]` are for expected variances `[K]`.

    The ratio of spread and expected variance has an F distribution. `[R, K]`, relative to the largest.
    """
    ratios = spreads / variances
    logs = df / 2 * np.log(ratios) - (df + LENT) / 2 * np.log1p(df * ratios / LENT)
    found: np.ndarray = np.exp(logs - logs.max(1, keepdims=True))
    return found
