"""Contracts over every registered strategy and every pair of them: it runs, or says why not."""

from __future__ import annotations

import hashlib
import itertools

import pytest

from fsbench.errors import ConflictError
from fsbench.registry import get_registry
from fsbench.testing import conformance, run_pair

STRATEGIES = get_registry().strategies
EXAMPLES = {"augmentation", "erm", "knn", "resampling"}
"""The strategies that are tested where there is no time for all."""
PARTNERS = 1


def partners(name: str) -> list[str]:
    """Some of the others, chosen by a hash, to run a strategy beside: all of them would take hours."""
    others = sorted(
        (hashlib.sha256(f"{name}+{other}".encode()).digest(), other) for other in STRATEGIES if other != name
    )
    return [other for _, other in others[:PARTNERS]]


def parameters(names: tuple[str, ...], *others: object) -> object:
    """Parameters of a test about some strategies; `slow` unless these are among the examples."""
    return pytest.param(*names, *others, marks=[pytest.mark.slow] * (not EXAMPLES.issuperset(names)))


CORE = sorted(name for name, cls in STRATEGIES.items() if cls.in_core and not cls.baseline)
PAIRS = sorted(
    {*itertools.permutations(CORE, 2), *((name, other) for name in STRATEGIES for other in partners(name))}
)
# Pairs are tested separately here.
CHECKS = [
    (name, check)
    for name in sorted(STRATEGIES)
    for check in conformance(STRATEGIES[name])
    if check.name != "composes with what is installed"
]
GO_TOGETHER = [
    ("transfer", "augmentation"),
    ("transfer", "focal"),
    ("augmentation", "focal"),
    ("resampling", "focal"),
    ("resampling", "augmentation"),
    ("maml", "augmentation"),
    ("maml", "focal"),
    ("dann", "augmentation"),
    ("dann", "focal"),
]


def test_every_plugin_loads():
    assert get_registry().failures == []
    assert {"erm", "augmentation", "transfer", "dann", "maml", "focal", "resampling"} <= set(STRATEGIES)


@pytest.mark.parametrize(
    ("name", "check"),
    [parameters((name,), check) for name, check in CHECKS],
    ids=[f"{name}-{check}" for name, check in CHECKS],
)
def test_conformance(name, check):
    if reason := check():
        pytest.skip(reason)


@pytest.mark.parametrize(
    ("first", "second"), [parameters(pair) for pair in PAIRS], ids=["+".join(pair) for pair in PAIRS]
)
def test_a_pair_runs_or_says_why_not(first, second):
    reason = run_pair(STRATEGIES[first](), STRATEGIES[second]())
    if reason:
        assert first in reason or second in reason
        pytest.skip(reason)


@pytest.mark.slow
def test_every_pair_composes_or_names_both_owners_of_a_stage():
    registry, conflicts = get_registry(), []
    for first, second in itertools.combinations(sorted(STRATEGIES), 2):
        try:
            registry.compose([STRATEGIES[first](), STRATEGIES[second]()])
        except ConflictError as error:
            conflicts.append((first, second, str(error)))
    assert conflicts
    assert [each for each in conflicts if not (each[0] in each[2] and each[1] in each[2])] == []


@pytest.mark.parametrize("pair", GO_TOGETHER, ids="+".join)
def test_sensible_combinations_run(pair):
    for first, second in itertools.permutations(pair):
        assert run_pair(STRATEGIES[first](), STRATEGIES[second]()) is None
