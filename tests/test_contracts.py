"""Contracts over every registered strategy and every pair of them: it runs, or says why not."""

from __future__ import annotations

import itertools

import pytest

from fsbench.registry import get_registry
from fsbench.testing import conformance, run_pair

STRATEGIES = get_registry().strategies
PAIRS = list(itertools.permutations(sorted(STRATEGIES), 2))
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


@pytest.mark.parametrize(("name", "check"), CHECKS, ids=[f"{name}-{check}" for name, check in CHECKS])
def test_conformance(name, check):
    if reason := check():
        pytest.skip(reason)


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=["+".join(pair) for pair in PAIRS])
def test_a_pair_runs_or_says_why_not(first, second):
    reason = run_pair(STRATEGIES[first](), STRATEGIES[second]())
    if reason:
        assert first in reason or second in reason
        pytest.skip(reason)


@pytest.mark.parametrize("pair", GO_TOGETHER, ids="+".join)
def test_sensible_combinations_run(pair):
    for first, second in itertools.permutations(pair):
        assert run_pair(STRATEGIES[first](), STRATEGIES[second]()) is None
