"""Families of weighted sums of strategies' scores, on each task and over tasks, with verdicts."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from fsbench import stats
from fsbench.metrics import Metric
from fsbench.report.differences import Terms, limits, sum_over_tasks, sum_sample
from fsbench.report.entries import Setting
from fsbench.report.rows import OVERALL
from fsbench.stats import Estimate

Key = TypeVar("Key", bound=Hashable)
WITHHELD = "withheld"


@dataclass(frozen=True)
class Contrast:
    """A weighted sum on a task, or its mean over tasks ("overall").

    `p` is adjusted for the number of comparisons. The verdict is "helps" or "hurts", "equivalent" if the sum
    certainly is within the margin, "not settled", or "withheld" where trials failed, or all splits train on
    the same samples. `within` says whether it certainly is within the margin.
    """

    task: str
    estimate: Estimate
    p: float
    verdict: str
    within: bool


def contrasts(
    found: Sequence[Setting],
    wanted: Mapping[Key, Callable[[Setting], Terms]],
    metric: Metric,
    margin: float,
) -> dict[Key, list[Contrast]]:
    """Each wanted sum on each task, then over tasks; it has no terms on a task where it cannot be computed.

    All sums on tasks are one family of tests, and lend each other what they say about variances; the means
    over tasks are another. Where all are on one task, the means are those of the task.
    """
    placed = {
        key: [(setting, terms) for setting in found if (terms := terms_of(setting))]
        for key, terms_of in wanted.items()
    }
    samples = {
        (key, setting.label): (sample, limits(metric, own))
        for key, places in placed.items()
        for setting, own in places
        if (sample := sum_sample(setting, own, metric))
    }
    prior = stats.fit_prior(sample for sample, _ in samples.values())
    on_tasks = {place: stats.estimate(sample, prior, ends) for place, (sample, ends) in samples.items()}
    means = {(key, OVERALL): sum_over_tasks(places, metric) for key, places in placed.items()}
    if len({task for _, task in on_tasks}) == 1:
        means = {(key, OVERALL): each for (key, _), each in on_tasks.items()}
    withheld = {
        (key, task)
        for key, places in placed.items()
        for setting, own in places
        if setting.splits.same or any(entry.failed.any() for entry, _ in own)
        for task in (setting.label, OVERALL)
    }
    rows: dict[Key, list[Contrast]] = {key: [] for key in wanted}
    for family in (on_tasks, {place: each for place, each in means.items() if each}):
        judged = stats.judge(list(family.values()), metric.higher_is_better, margin)
        for (key, task), each in zip(family, judged, strict=True):
            out = (key, task) in withheld
            word = WITHHELD if out else each.verdict
            rows[key].append(Contrast(task, family[key, task], each.p, word, each.within and not out))
    return rows
