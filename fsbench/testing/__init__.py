"""For authors of strategies: toy data and the conformance kit. Imports torch, but not pytest.

@pytest.mark.parametrize("check", fsbench.testing.conformance(MyStrategy), ids=str)
def test_conformance(check):
    check()
"""

from __future__ import annotations

from fsbench.testing.checks import Check, CheckResult, check_conformance, conformance
from fsbench.testing.toy import ToySplit, toy_split
from fsbench.testing.toy_runs import quick, run_pair, run_toy

__all__ = [
    "Check",
    "CheckResult",
    "ToySplit",
    "check_conformance",
    "conformance",
    "quick",
    "run_pair",
    "run_toy",
    "toy_split",
]
