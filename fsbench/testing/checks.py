"""The conformance kit: the contracts of what plugins bring, as checks that any test runner can call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from traceback import format_exception
from typing import Any, TypeAlias

from fsbench.datasets.known import DatasetEntry
from fsbench.errors import SpecError
from fsbench.kinds import Kind
from fsbench.metrics import Metric
from fsbench.recipes.catalogue import Backbone
from fsbench.registry import get_registry
from fsbench.strategy import Strategy
from fsbench.tasks.protocols import Protocol
from fsbench.testing import (
    backbone_checks,
    dataset_checks,
    kind_checks,
    metric_checks,
    protocol_checks,
    strategy_checks,
    suite_checks,
)
from fsbench.testing.bench import Bench

Thing: TypeAlias = (
    "str | Strategy | type[Strategy] | Kind | DatasetEntry | type[Protocol] | Backbone | Metric | Path"
    " | Traversable"
)
"""What can be checked: a text is the spec of a registered strategy, a path the file of a suite."""


@dataclass(frozen=True)
class Check:
    """One check of something from a plugin. Calling it raises AssertionError if the check fails.

    A call returns None, or the reason why the check does not apply. `str` is the check's name, for
    `pytest.mark.parametrize(..., ids=str)`. The checks of one strategy share the runs of a `Bench`.
    """

    name: str
    subject: Any
    body: Callable[[Any], str | None]

    def __str__(self) -> str:
        return self.name

    def __call__(self) -> str | None:
        """Run the check. Raises AssertionError, or what the checked code raises."""
        return self.body(self.subject)

    def result(self) -> CheckResult:
        """Run the check, and say how it ended."""
        try:
            reason = self()
        except Exception as error:  # noqa: BLE001 - untrusted code may raise anything; it is the result
            kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
            reason = " ".join(f"{kind}{error}".split())
            return CheckResult(self.name, "failed", reason, "".join(format_exception(error)))
        return CheckResult(self.name, "skipped" if reason else "ok", reason or "")


@dataclass(frozen=True)
class CheckResult:
    """The result of a check: `status` is "ok", "failed" or "skipped", with a one-line reason.

    `traceback` is that of a failed check.
    """

    name: str
    status: str
    reason: str = ""
    traceback: str = ""


def conformance(thing: Thing) -> list[Check]:
    """Every check of the kit for what a plugin brings, registered or not.

    That is a strategy (its class, an instance, or the spec of a registered one), a kind of samples, a
    dataset's entry, a protocol's class, a backbone, a metric, or the file of a suite. Raises SpecError or
    UnknownName for a spec that is not one registered strategy, TypeError for what is none of these.
    """
    subject, checks = _kit(thing)
    return [Check(name, subject, body) for name, body in checks.items()]


def check_conformance(thing: Thing) -> Iterator[CheckResult]:
    """Run every check, one after the other, and yield its result. Raises what `conformance` raises."""
    return map(Check.result, conformance(thing))


def _kit(thing: Thing) -> tuple[Any, Mapping[str, Callable[[Any], str | None]]]:
    """The argument of the checks of a thing, and the checks."""
    if isinstance(thing, str):
        return Bench(_registered(thing)), strategy_checks.CHECKS
    if isinstance(thing, Strategy) or (isinstance(thing, type) and issubclass(thing, Strategy)):
        return Bench(thing), strategy_checks.CHECKS
    if isinstance(thing, type) and issubclass(thing, Protocol):
        return thing, protocol_checks.CHECKS
    if isinstance(thing, Kind):
        return thing, kind_checks.CHECKS
    if isinstance(thing, DatasetEntry):
        return thing, dataset_checks.CHECKS
    if isinstance(thing, Backbone):
        return thing, backbone_checks.CHECKS
    if isinstance(thing, Metric):
        return thing, metric_checks.CHECKS
    if isinstance(thing, Path | Traversable):
        return thing, suite_checks.CHECKS
    raise TypeError(f"{thing!r} is not something from a plugin; expected a strategy, a dataset's entry, ...")


def _registered(text: str) -> Strategy:
    found = get_registry().parse(text)
    if len(found) != 1 or len(found[0].components) != 1:
        raise SpecError(f"{text!r}: expected one strategy, such as 'focal' or 'focal(gamma=1)'")
    return found[0].components[0]
