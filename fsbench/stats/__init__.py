"""Statistics of paired results: estimates with intervals, families of tests, and verdicts.

What the intervals cover, and what they do not, is explained in docs/statistics.md, with the simulations by
which each rule was chosen.
"""

from __future__ import annotations

from fsbench.stats.crossing import Crossed, Products, crossed, shared_fraction
from fsbench.stats.estimation import (
    FRACTION,
    LEVEL,
    NO_LIMITS,
    Estimate,
    Tail,
    estimate,
    estimates,
    p_values,
)
from fsbench.stats.over_tasks import overall, overalls
from fsbench.stats.power import MOST, splits_needed
from fsbench.stats.priors import NO_PRIOR, Prior, fit_prior
from fsbench.stats.sample import Sample
from fsbench.stats.verdicts import Judged, Verdict, equivalence, holm, judge, verdict

__all__ = [
    "FRACTION",
    "LEVEL",
    "MOST",
    "NO_LIMITS",
    "NO_PRIOR",
    "Crossed",
    "Estimate",
    "Judged",
    "Prior",
    "Products",
    "Sample",
    "Tail",
    "Verdict",
    "crossed",
    "equivalence",
    "estimate",
    "estimates",
    "fit_prior",
    "holm",
    "judge",
    "overall",
    "overalls",
    "p_values",
    "shared_fraction",
    "splits_needed",
    "verdict",
]
