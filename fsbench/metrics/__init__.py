"""The metrics on the test part, and `score`, which computes all of them.

An `episodes` task has many cells (test episodes). Every metric except the calibration error is computed in
each cell and averaged over the cells, as few-shot papers report accuracy. The calibration error needs more
samples than a cell has, so the samples of all cells are pooled for it.
"""

from __future__ import annotations

from fsbench.metrics.scoring import (
    DEFAULT_METRIC,
    METRICS,
    ROUNDING,
    TRAINING_METRIC,
    Metric,
    assumed_resolution,
    chance,
    get_metric,
    in_bounds,
    influences,
    metric_problems,
    number,
    resolution,
    scale,
    score,
)

__all__ = [
    "DEFAULT_METRIC",
    "METRICS",
    "ROUNDING",
    "TRAINING_METRIC",
    "Metric",
    "assumed_resolution",
    "chance",
    "get_metric",
    "in_bounds",
    "influences",
    "metric_problems",
    "number",
    "resolution",
    "scale",
    "score",
]
