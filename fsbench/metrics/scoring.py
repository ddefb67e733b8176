"""The definition of a metric, and the computation of all metrics."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fsbench.errors import BadPrediction, PluginError
from fsbench.failure import one_line
from fsbench.sorts import Sort

# Logits are float32: log-likelihoods that differ by less are equal.
ROUNDING = 1e-6
DEFAULT_METRIC = "balanced_accuracy"
TRAINING_METRIC = "accuracy"
"""The metric in which records say how well the training labels are fitted (`Record.train_accuracy`)."""


@dataclass(frozen=True)
class Metric:
    """A metric: how it is computed and how it is read.

    `function(logits, y)` of finite float64 logits `[E, M, C]` and int64 labels `[E, M]` returns a float, or
    None if the metric is not defined for these labels. `title` is its name in tables, `meaning` one line
    about it, and `cite` its paper. `percent` metrics lie in [0, 1] and are shown in %. `resolution(y)` is the
    effect of one decision on such labels; None means twice an even share. `influence(logits, y)` is the
    influence of each sample on the value, float `[E, M]`; without it, a report by this metric does not know
    how much of the spread is due to the choice of the test samples. `results_version` says which version of
    the code its values come from, as that of a strategy. Differences that certainly are within the `margin`
    are equivalent, unless a report has another one. `chance(y)` is the mean value on such labels of every
    prediction that does not depend on the inputs; None if these differ.
    """

    name: str
    title: str
    meaning: str
    function: Callable[[np.ndarray, np.ndarray], float | None]
    higher_is_better: bool = True
    percent: bool = True
    resolution: Callable[[np.ndarray], float] | None = None
    influence: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    cite: str = ""
    results_version: str = ""
    margin: float = 0.01
    chance: Callable[[np.ndarray], float] | None = None


def _check_metric(metric: Any) -> None:
    if not isinstance(metric, Metric):
        raise PluginError(f"fsbench_metrics returned {metric!r}; expected each to be an fsbench.Metric")
    if not (metric.title.strip() and metric.meaning.strip()):
        raise PluginError(f"metric {metric.name!r} has no title or no meaning; describe it in a few words")


METRICS: Sort[Metric] = Sort("metric", "fsbench_metrics", _check_metric, lambda metric: metric.name)


def get_metric(name: str) -> Metric:
    """The metric of a name. Raises UnknownName."""
    return METRICS.find(name)


def scale(metric: Metric) -> float:
    """By what values of a metric are multiplied to be shown."""
    return 100.0 if metric.percent else 1.0


def number(value: float, metric: Metric, sign: bool = False) -> str:
    """A value or a difference of a metric as it is shown: percent with one decimal, others with three."""
    text = f"{100 * value:.1f}" if metric.percent else f"{value:.3f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return f"+{text}" if sign and not text.startswith("-") else text


def score(logits: np.ndarray, y: np.ndarray, problems: list[str] | None = None) -> dict[str, float]:
    """Every metric of finite logits `[E, M, C]` against labels `[E, M]`: floats by name.

    A metric that returns None is left out. So is one that raises or is out of its bounds: a line about it is
    appended to `problems` or, without `problems`, raised as a PluginError. Raises BadPrediction for shapes or
    labels that do not fit.
    """
    logits, y = np.asarray(logits, dtype=np.float64), np.asarray(y)
    _check_fit(logits, y)
    values: dict[str, float] = {}
    for name, metric in METRICS.items():
        value = _asked(metric, metric.function, metric_problems, problems, logits.copy(), y.copy())
        if value is not None:
            values[name] = float(value)
    return values


def resolution(y: np.ndarray, problems: list[str] | None = None) -> dict[str, float]:
    """The effect of one decision on labels `[E, M]` on each metric with a resolution, by the metric's name.

    Errors are reported as in `score`.
    """
    y = np.asarray(y)
    known = {name: metric for name, metric in METRICS.items() if metric.resolution is not None}
    found = {
        name: _asked(metric, metric.resolution, metric_problems, problems, y.copy())
        for name, metric in known.items()
    }
    return {name: float(value) for name, value in found.items() if value is not None}


def influences(
    logits: np.ndarray, y: np.ndarray, names: Iterable[str], problems: list[str] | None = None
) -> dict[str, np.ndarray]:
    """The influence of each test sample, `[E, M]`, on the named metrics, for those that have influences.

    `logits` and `y` are as in `score`, and errors are reported as there.
    """
    logits, y = np.asarray(logits, dtype=np.float64), np.asarray(y)
    found = {}
    for name in names:
        metric = METRICS.find(name)
        if metric.influence is not None:
            value = _asked(metric, metric.influence, _influence_problems, problems, logits.copy(), y.copy())
            if value is not None:
                found[name] = np.asarray(value, dtype=np.float64)
    return found


def chance(metric: Metric, y: np.ndarray) -> float | None:
    """The chance level of a metric on labels `[E, M]`; None if it has none.

    Raises PluginError if it raises or is out of the metric's bounds.
    """
    if metric.chance is None:
        return None
    value = _asked(metric, metric.chance, metric_problems, None, np.array(y))
    return None if value is None else float(value)


def _influence_problems(metric: Metric, value: Any) -> str:
    good = isinstance(value, np.ndarray) and value.dtype.kind == "f" and np.isfinite(value).all()
    return "" if good else "returned influences that are not an array of finite numbers"


def metric_problems(metric: Metric, value: Any) -> str:
    """What is wrong with a value of a metric, or nothing."""
    if isinstance(value, bool | str) or not isinstance(value, int | float | np.floating | np.integer):
        return f"returned {value!r}; expected a float or None"
    if not in_bounds(metric, float(value)):
        expected = "0 to 1, as percent=True says" if metric.percent else "a finite number"
        return f"returned {value:g}; expected {expected}"
    return ""


def in_bounds(metric: Metric, value: float) -> bool:
    """Whether a value of a metric is finite and, if it is shown in %, in [0, 1]."""
    low, high = (0.0, 1.0) if metric.percent else (-math.inf, math.inf)
    return math.isfinite(value) and low - ROUNDING <= value <= high + ROUNDING


def assumed_resolution(name: str, n_test: int) -> float:
    """The resolution of a metric if only the number of test samples is known; 0 for none.

    It is twice an even share, which is enough for averages over classes unless the smallest class has less
    than half of an even share of the samples.
    """
    if not get_metric(name).percent:
        return ROUNDING
    return 2 / n_test if n_test else 0.0


def _asked(
    metric: Metric,
    function: Callable[..., Any] | None,
    check: Callable[[Metric, Any], str],
    problems: list[str] | None,
    *arrays: np.ndarray,
) -> Any:
    """What a metric's function returns, if it is valid; None otherwise."""
    assert function is not None
    try:
        value = function(*arrays)
        problem = "" if value is None else check(metric, value)
    except Exception as error:  # noqa: BLE001 - a stranger's metric may raise anything; the record stays
        value, problem = None, f"raised {one_line(error)}"
    if not problem:
        return value
    origin = METRICS.origin(metric.name)
    line = f"metric {metric.name}{f' of {origin.distribution}' if origin else ''} {problem}"
    if problems is None:
        raise PluginError(line)
    problems.append(line)
    return None


def _check_fit(logits: np.ndarray, y: np.ndarray) -> None:
    if logits.ndim != 3 or logits.shape[:2] != y.shape or not y.size or not logits.shape[-1]:
        raise BadPrediction(
            f"cannot score logits of shape {list(logits.shape)} against labels of shape {list(y.shape)}; "
            "expected [E, M, C] and [E, M]"
        )
    if y.min() < 0 or y.max() >= logits.shape[-1]:
        raise BadPrediction(f"labels {y.min()}..{y.max()} do not fit logits of {logits.shape[-1]} classes")
