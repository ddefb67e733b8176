import pytest
from fsbench_temperature import Temperature

from fsbench.testing import conformance


@pytest.mark.parametrize("check", conformance(Temperature), ids=str)
def test_conformance(check):
    reason = check()
    if reason:
        pytest.skip(reason)
