"""Differences of scores: what splits and tasks have in common, and means over tasks."""

from __future__ import annotations

import numpy as np
import pytest
from made_evidence import METRIC, Made, decisions, disjoint
from records import over_seeds
from rows import overall

from fsbench import stats
from fsbench.columns import of_records
from fsbench.metrics import get_metric
from fsbench.report import entries
from fsbench.report.differences import minus, over_tasks, samples
from fsbench.report.leaderboard import leaderboard

A, B = "kshot(digits, k=5)", "kshot(digits, k=20)"
APART = [f"kshot({data}, k=5)" for data in ("digits", "wine", "iris", "breast_cancer")]
ERM = [0.70, 0.72, 0.68, 0.71]


def focal_minus_erm(records, evidence=None):
    """The difference on each task, and the one over them."""
    columns = of_records(records, [METRIC], evidence) if evidence else of_records(records, [METRIC])
    placed = [
        (setting, minus(setting.entries["focal"], setting.entries["erm"]))
        for setting in entries.settings(columns)
    ]
    metric = get_metric(METRIC)
    (mean,) = over_tasks([placed], metric)
    return samples(placed, metric), mean


def made(tests, trains, erm=None):
    """Four splits of a task; without results of plain training, both strategies have the same."""
    focal = decisions(4, 40, 1)
    found = Made()
    found.task(A, tests, trains, {"erm": focal if erm is None else erm, "focal": focal})
    (sample,), _ = focal_minus_erm(found.records, found.evidence)
    return sample


def test_equal_decisions_on_common_test_samples_leave_one_decision_open():
    trains = disjoint(4, 20, 500)
    assert made([np.arange(40)] * 4, trains).common == pytest.approx(0.01**2)
    assert made(disjoint(4, 40), trains).common == 0


def test_splits_that_train_on_the_same_samples_share_no_spread_of_training_samples():
    tests, erm = disjoint(4, 40), decisions(4, 40, 2)
    half = [np.r_[500:510, start : start + 10] for start in (600, 610, 620, 630)]
    assert made(tests, half, erm).shared == pytest.approx(0.5)
    assert made(tests, [np.arange(500, 520)] * 4, erm).shared == 0


def test_tasks_with_common_data_and_splits_are_added_split_by_split():
    """What one loses and the other wins in the same split is no spread of the mean."""
    swing = np.array([0.03, -0.02, 0.02, -0.03])
    both = {A: 0.02 + swing, B: 0.02 - swing}
    records = [
        each
        for task, gain in both.items()
        for spec, values in (("erm", np.array(ERM)), ("focal", ERM + gain))
        for each in over_seeds(task, spec, values.tolist())
    ]
    one = {"overall": np.array(ERM), "focal": np.array(ERM) + 0.02}
    alone, mean = focal_minus_erm(records)
    assert one["focal"].mean() - one["overall"].mean() == pytest.approx(mean.mean)
    assert mean.half_width < min(np.std(each.values, ddof=1) for each in alone) / 10


@pytest.mark.parametrize("first", [0.0, 2.0])
def test_the_mean_of_tasks_has_the_larger_overlap_of_their_splits(first):
    def half_width(*overlaps):
        records = [
            each
            for task, overlap in zip((A, B), overlaps, strict=True)
            for spec, values in (("erm", ERM), ("focal", [0.80, 0.79, 0.83, 0.78]))
            for each in over_seeds(task, spec, values, overlap=overlap)
        ]
        return focal_minus_erm(records)[1].half_width

    ratio = half_width(first, 2.0 - first) / half_width(0.0, 0.0)
    assert ratio == pytest.approx(np.sqrt((1 / 4 + 2) / (1 / 4)))


def test_tasks_that_agree_settle_more_than_their_t_test():
    """Four tasks, three splits each, all of one sign."""
    gains = [[0.011, 0.05, 0.012], [0.04, 0.013, 0.012], [0.012, 0.011, 0.06], [0.013, 0.04, 0.011]]
    records = [
        each
        for task, gain in zip(APART, gains, strict=True)
        for spec, values in (("erm", [0.7, 0.72, 0.68]), ("focal", np.add([0.7, 0.72, 0.68], gain)))
        for each in over_seeds(task, spec, list(values))
    ]
    alone, mean = focal_minus_erm(records)
    parts = [[_times(sample, 1 / 4)] for sample in alone]
    with_signs, by_t = (stats.overalls([parts], flips=flips)[0].p for flips in (True, False))
    assert with_signs < by_t / 2
    assert mean.p == pytest.approx(with_signs)
    assert overall(leaderboard(records))["focal"].p == pytest.approx(with_signs)


def _times(sample, weight):
    return stats.Sample(tuple(weight * v for v in sample.values), weight * sample.resolution)
