"""Paired differences between two strategies, on one task and over tasks."""

from __future__ import annotations

from collections.abc import Sequence

from fsbench import stats
from fsbench.metrics import Metric
from fsbench.report.entries import Entry, Setting
from fsbench.stats import Estimate


def on_task(setting: Setting, ours: Entry, theirs: Entry, metric: Metric) -> Estimate | None:
    """Ours minus theirs on one task; None without a trial that both did."""
    values = _by_seed(setting, ours, theirs, metric)
    if not values:
        return None
    return stats.estimate(list(values.values()), setting.resolution(metric.name), setting.overlap)


def over_tasks(found: Sequence[Setting], ours: str, theirs: str, metric: Metric) -> Estimate | None:
    """Ours minus theirs over the tasks that both did; None without one."""
    both = [s for s in found if ours in s.entries and theirs in s.entries]
    return mean_over_tasks(
        [(s, _by_seed(s, s.entries[ours], s.entries[theirs], metric)) for s in both], metric
    )


def mean_over_tasks(values: Sequence[tuple[Setting, dict[int, float]]], metric: Metric) -> Estimate | None:
    """The mean over tasks of values by split seed; tasks without values are left out."""
    kept = [(setting, by_seed) for setting, by_seed in values if by_seed]
    if not kept:
        return None
    return stats.overall(
        [by_seed for _, by_seed in kept],
        [setting.group for setting, _ in kept],
        [setting.resolution(metric.name) for setting, _ in kept],
        [setting.overlap for setting, _ in kept],
    )


def _by_seed(setting: Setting, ours: Entry, theirs: Entry, metric: Metric) -> dict[int, float]:
    """Ours minus theirs by split seed, over the trials that both did."""
    return setting.by_split(ours.values(metric.name) - theirs.values(metric.name))
