import pytest
from fsbench_poly import Poly

from fsbench.testing import conformance


@pytest.mark.parametrize("check", conformance(Poly), ids=str)
def test_conformance(check):
    reason = check()
    if reason:
        pytest.skip(reason)
