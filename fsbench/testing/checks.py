"""The conformance kit: what every strategy must keep to, as checks that any test runner can call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from traceback import format_exception

from fsbench.errors import SpecError
from fsbench.registry import get_registry
from fsbench.strategy import Strategy
from fsbench.testing.behaviour import (
    composes,
    composes_with_installed,
    explains_skips,
    has_effect,
    keeps_loss,
    keeps_targets,
    learns,
    leaves_globals,
    predicts_alone,
    reproducible,
    runs,
)
from fsbench.testing.bench import Bench
from fsbench.testing.declarations import bounded, constructs, declared, documented, round_trips


@dataclass(frozen=True)
class Check:
    """One thing that a strategy must keep to. Calling it raises AssertionError where it does not.

    A call returns None, or the reason why the check does not apply. `str` is the check's name, for
    `pytest.mark.parametrize(..., ids=str)`. The checks of one strategy share the runs of its `bench`.
    """

    name: str
    bench: Bench
    body: Callable[[Bench], str | None]

    def __str__(self) -> str:
        return self.name

    def __call__(self) -> str | None:
        """Run the check. Raises AssertionError, or what the strategy raises."""
        return self.body(self.bench)


@dataclass(frozen=True)
class CheckResult:
    """What became of a check: `status` is "ok", "failed" or "skipped", with a one-line reason.

    `traceback` is where a failed check raised.
    """

    name: str
    status: str
    reason: str = ""
    traceback: str = ""


def conformance(strategy: type[Strategy] | Strategy | str) -> list[Check]:
    """Every check of the kit for a strategy: a class, an instance, or the spec of a registered one.

    Raises SpecError or UnknownName for a spec that is not one registered strategy.
    """
    subject = _registered(strategy) if isinstance(strategy, str) else strategy
    bench = Bench(subject)
    return [Check(name, bench, body) for name, body in CHECKS.items()]


def check_strategy(strategy: type[Strategy] | Strategy | str) -> Iterator[CheckResult]:
    """Run every check, one after the other, and give its result. Raises what `conformance` raises."""
    return map(_result, conformance(strategy))


def _result(check: Check) -> CheckResult:
    try:
        reason = check()
    except Exception as error:  # noqa: BLE001 - a strategy may raise anything; it is the result
        kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        reason = " ".join(f"{kind}{error}".split())
        return CheckResult(check.name, "failed", reason, "".join(format_exception(error)))
    return CheckResult(check.name, "skipped" if reason else "ok", reason or "")


def _registered(text: str) -> Strategy:
    found = get_registry().parse(text)
    if len(found) != 1 or len(found[0].components) != 1:
        raise SpecError(f"{text!r}: expected one strategy, such as 'focal' or 'focal(gamma=1)'")
    return found[0].components[0]


def _of_strategy(body: Callable[[Strategy], str | None]) -> Callable[[Bench], str | None]:
    return lambda bench: body(bench.strategy)


CHECKS: dict[str, Callable[[Bench], str | None]] = {
    "constructs by default": _of_strategy(constructs),
    "is documented and cites its source": _of_strategy(documented),
    "declares what exists": _of_strategy(declared),
    "round-trips as text": _of_strategy(round_trips),
    "takes its bounds and no more": _of_strategy(bounded),
    "says why it skips": explains_skips,
    "runs on what it claims": runs,
    "same seed, same logits": reproducible,
    "leaves global randomness alone": leaves_globals,
    "learns separable classes": learns,
    "has an effect": has_effect,
    "predicts each sample on its own": predicts_alone,
    "keeps the loss per sample": keeps_loss,
    "keeps targets distributions": keeps_targets,
    "composes with probes": composes,
    "composes with what is installed": composes_with_installed,
}
