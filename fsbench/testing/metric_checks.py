"""The contract of every metric, on artificial predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from fsbench.metrics import Metric, metric_problems
from fsbench.rng import generator
from fsbench.testing.demands import require, require_own_randomness, require_text
from fsbench.words import plural

_TOLERANCE = 1e-9
_DRAWS, _ERRORS = 400, 4.0


def described(metric: Metric) -> None:
    """It has a title and a meaning."""
    require_text("title", metric.title)
    require_text("meaning", metric.meaning)


def bounded(metric: Metric) -> None:
    """For all predictions, it is a finite float (from 0 to 1 if it is a percentage) or None."""
    for what, logits, y in _predictions():
        value = metric.function(logits.copy(), y.copy())
        problem = "" if value is None else metric_problems(metric, value)
        require(not problem, f"on {what} it {problem}")


def order_free(metric: Metric) -> None:
    """It does not depend on the order of the samples in a cell, or of the cells."""
    for what, logits, y in _predictions():
        samples = generator("order of samples", what).permutation(y.shape[1])
        cells = generator("order of cells", what).permutation(len(y))
        before = metric.function(logits.copy(), y.copy())
        moved = metric.function(logits[cells][:, samples].copy(), y[cells][:, samples].copy())
        if before is None or moved is None:
            require(before is moved, f"on {what} it is None in only one order of the samples")
        else:
            same = abs(before - moved) <= _TOLERANCE * max(1.0, abs(before))
            require(same, f"on {what} it is {before} in one order of the samples, {moved} in another")


def better_is_better(metric: Metric) -> None:
    """Perfect predictions score at least as well as random ones, and those as well as wrong ones."""
    y = np.arange(60).reshape(1, 60) % 3
    truth, noise = np.eye(3)[y], generator("random predictions").standard_normal((1, 60, 3))
    values = [metric.function(logits, y.copy()) for logits in (10 * truth, noise, np.roll(10 * truth, 1, -1))]
    known = [value for value in values if value is not None]
    better = "higher" if metric.higher_is_better else "lower"
    require(
        known == sorted(known, reverse=metric.higher_is_better),
        f"perfect, random and wrong predictions score {known}, but {better} is declared to be better",
    )


def leaves_globals(metric: Metric) -> None:
    """Computing it leaves the global random states of Python, numpy and torch unchanged."""
    require_own_randomness(lambda: [metric.function(logits, y) for _, logits, y in _predictions()])


def resolves(metric: Metric) -> str | None:
    """Its declared resolution is a positive number."""
    if metric.resolution is None:
        return "it does not declare a resolution"
    for what, _, y in _predictions():
        value = metric.resolution(y.copy())
        good = isinstance(value, float | int) and 0 < value < np.inf
        require(good, f"on {what} its resolution is {value!r}; expected a positive number")
    return None


def says_influence(metric: Metric) -> str | None:
    """The influence of a sample is about the change of the value when the sample is left out."""
    if metric.influence is None:
        return "it does not declare an influence"
    what, logits, y = next(_predictions())
    value, others = metric.function(logits.copy(), y.copy()), [np.arange(y.size) != i for i in range(y.size)]
    without = [metric.function(logits[:, each], y[:, each]) for each in others]
    if value is None or None in without:
        return f"it is not defined on {what}"
    got, wanted = np.asarray(metric.influence(logits.copy(), y.copy())), value - np.array([without], float)
    require(got.shape == y.shape, f"its influence has the shape {list(got.shape)}; expected {list(y.shape)}")
    sizes = [f"{np.abs(each).mean():.2g}" for each in (got, wanted)]
    require(
        np.linalg.norm(got - wanted) <= 0.9 * np.linalg.norm(wanted),
        f"on {what} the influence of a sample is {sizes[0]} in the mean; expected about what leaving it out "
        f"takes from the value, which is {sizes[1]} in the mean, with the same sign",
    )
    return None


def says_chance(metric: Metric) -> str | None:
    """Predictions that do not depend on the inputs score its chance level on average."""
    if metric.chance is None:
        return "it does not declare a chance level"
    y, rng = np.repeat([0, 1, 2], [30, 20, 10])[None], generator("predictions by chance")
    level = metric.chance(y.copy())
    noise = rng.standard_normal((_DRAWS, 1, y.size, 3))
    for what, drawn in (
        ("random predictions", noise),
        ("random predictions, most of the first class", noise + np.array([2.0, 0.0, 0.0])),
        ("predictions of the last class", np.zeros_like(noise) + np.array([0.0, 0.0, 1.0])),
    ):
        values = np.array([metric.function(logits, y.copy()) for logits in drawn], dtype=np.float64)
        off = abs(values.mean() - level)
        require(
            off <= _ERRORS * values.std() / len(values) ** 0.5 + _TOLERANCE,
            f"its chance level is {level:.3g}, but {what} score {values.mean():.3g} on average",
        )
    return None


def _predictions() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Logits `[E, M, C]` and labels `[E, M]`, with a description."""
    rng = generator("predictions for metrics")
    for cells, samples, classes in ((1, 40, 3), (5, 30, 4), (1, 20, 2)):
        y = np.stack([rng.permutation(np.arange(samples) % classes) for _ in range(cells)])
        truth, noise = np.eye(classes)[y], rng.standard_normal((cells, samples, classes))
        size = f"{plural(cells, 'cell')}, {classes} classes"
        yield f"random predictions, {size}", noise, y
        yield f"good predictions, {size}", 3 * truth + noise, y
        yield f"perfect predictions, {size}", 50 * truth, y
        yield f"wrong predictions, {size}", 50 * np.roll(truth, 1, -1), y
        yield f"equal logits, {size}", np.zeros_like(noise), y
        yield f"huge logits, {size}", 1e30 * noise, y
    yield "labels of one class", rng.standard_normal((1, 20, 3)), np.zeros((1, 20), dtype=np.int64)
    yield "one sample", rng.standard_normal((1, 1, 3)), np.ones((1, 1), dtype=np.int64)


CHECKS: dict[str, Callable[[Metric], str | None]] = {
    "is described": described,
    "stays in its bounds": bounded,
    "does not depend on the order of samples": order_free,
    "is better where predictions are": better_is_better,
    "leaves global randomness alone": leaves_globals,
    "says its resolution": resolves,
    "says the influence of samples": says_influence,
    "says its chance level": says_chance,
}
