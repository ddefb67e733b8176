import pytest
from fsbench_soup import GreedySoup

from fsbench.testing import conformance


@pytest.mark.parametrize("check", conformance(GreedySoup), ids=str)
def test_conformance(check):
    reason = check()
    if reason:
        pytest.skip(reason)
