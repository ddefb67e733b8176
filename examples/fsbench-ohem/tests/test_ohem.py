import pytest
from fsbench_ohem import Ohem

from fsbench.testing import conformance


@pytest.mark.parametrize("check", conformance(Ohem), ids=str)
def test_conformance(check):
    reason = check()
    if reason:
        pytest.skip(reason)
