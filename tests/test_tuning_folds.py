"""The folds of a search: they share what is trained on their source, and run one after the other."""

from __future__ import annotations

import fake_executor
import numpy as np
import pytest
from fake_executor import FakeExecutor
from test_tuning_runs import fitted_directly, real

from fsbench.store import Store
from fsbench.tuning.search import Try


def test_folds_share_a_pretrained_body_to_the_bit(tmp_path):
    text = "kshot(digits, k=4, source=patches(size=8))"
    results = real(
        tmp_path / "run", "transfer(source_steps=20, source_passes=0)", tasks=text, seeds=1, tune=2
    )
    record = results.records[-1]
    assert record.spec.startswith("transfer")
    with Store(tmp_path / "run") as store:
        direct = fitted_directly(record, tmp_path / "alone")
        assert np.array_equal(store.predictions(record.key), direct)


@pytest.mark.usefixtures("fakes")
def test_tries_of_a_split_run_fold_by_fold(tmp_path):
    fake_executor.run(tmp_path, seeds=2, tune=2)
    jobs = [job.trial for made in FakeExecutor.made for job in made.jobs if hasattr(job, "trial")]
    tried = [(each.split_seed, each.part.fold) for each in jobs if isinstance(each, Try)]
    assert tried[:8] == [(0, 0), (0, 0), (0, 1), (0, 1), (1, 0), (1, 0), (1, 1), (1, 1)]
