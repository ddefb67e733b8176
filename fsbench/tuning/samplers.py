"""What draws the values of a configuration from their ranges: optuna, imported only where something is drawn.

`random` draws independently (Bergstra & Bengio 2012, "Random search for hyper-parameter optimization", JMLR
13). `tpe` draws where the density of the good configurations so far, divided by that of the others, is high
(Bergstra, Bardenet, Bengio & Kégl 2011, "Algorithms for hyper-parameter optimization", NeurIPS), for each
value by itself. Each draw depends only on its seed and on what is told, so it can be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from fsbench.importing import needed

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

Told: TypeAlias = "Sequence[tuple[Mapping[str, Any], float | None]]"
"""The values of earlier configurations, each with its score, None if it failed."""

SAMPLERS = ("random", "tpe")
RANDOM_FIRST = 5
"""The number of configurations, the defaults included, before TPE uses earlier results."""

_LOG_FROM = 10.0
_DIGITS = 3
ROUNDING = (_LOG_FROM, _DIGITS)
"""The range ratio from which the scale is logarithmic, and the digits that values are rounded to."""


def distribution(
    tune: tuple[Any, ...], whole: bool = False, log: bool = False, span: bool = True
) -> BaseDistribution:
    """Numbers from one to another, on a logarithmic scale if they span a factor of ten; or given values."""
    of = _optuna().distributions
    found: BaseDistribution
    if span:
        low, high = tune
        log = log or (low > 0 and high / low >= _LOG_FROM)
        found = of.IntDistribution(low, high, log) if whole else of.FloatDistribution(low, high, log)
    else:
        found = of.CategoricalDistribution(tune)
    return found


def draw_random(ranges: Mapping[str, BaseDistribution], seed: int) -> dict[str, Any]:
    """One draw; the values of the first ranges do not depend on the ranges after them."""
    return _ask(ranges, _optuna().samplers.RandomSampler(seed=seed), ())


def draw_tpe(ranges: Mapping[str, BaseDistribution], seed: int, told: Told) -> dict[str, Any]:
    """One draw by the tree-structured Parzen estimator; a configuration that failed counts as a bad one."""
    sampler = _optuna().samplers.TPESampler(seed=seed, n_startup_trials=0, multivariate=False)
    return _ask(ranges, sampler, told)


def version() -> str:
    """The version of optuna, with which what it draws may change."""
    return str(_optuna().__version__)


def _ask(ranges: Mapping[str, BaseDistribution], sampler: BaseSampler, told: Told) -> dict[str, Any]:
    def ask() -> dict[str, Any]:
        study = _optuna().create_study(direction="maximize", sampler=sampler)
        study.add_trials([_finished(ranges, *each) for each in told])
        params: dict[str, Any] = study.ask(dict(ranges)).params
        return params

    return {name: _rounded(value, ranges[name]) for name, value in _quietly(ask).items()}


def _finished(
    ranges: Mapping[str, BaseDistribution], values: Mapping[str, Any], score: float | None
) -> FrozenTrial:
    """A configuration and its score in the terms of optuna; values outside their range are left out."""
    of, inside = _optuna().trial, {n: v for n, v in values.items() if _contains(ranges[n], v)}
    state = of.TrialState.PRUNED if score is None else of.TrialState.COMPLETE
    found: FrozenTrial = of.create_trial(
        state=state, value=score, params=inside, distributions={name: ranges[name] for name in inside}
    )
    return found


def _contains(within: BaseDistribution, value: Any) -> bool:
    if hasattr(within, "choices"):
        return value in within.choices
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and bool(within.low <= value <= within.high)  # type: ignore[attr-defined]


def _rounded(value: Any, within: BaseDistribution) -> Any:
    """A number of a range with few digits, which is easy to read and to write."""
    if not isinstance(within, _optuna().distributions.FloatDistribution):
        return value
    few = float(f"{value:.{_DIGITS}g}")
    return min(max(few, within.low), within.high)


def _quietly(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Call a function while optuna does not announce every study."""
    logging = _optuna().logging
    told = logging.get_verbosity()
    logging.set_verbosity(logging.WARNING)
    try:
        return ask()
    finally:
        logging.set_verbosity(told)


def _optuna() -> Any:
    return needed("optuna", "tuning", "tune")
