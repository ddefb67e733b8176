"""Families of weighted sums of strategies' scores, on each task and over tasks, with verdicts."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from fsbench import stats
from fsbench.metrics import Metric
from fsbench.report.baselines import WITHHELD
from fsbench.report.differences import Terms, estimates, limits_of, over_tasks, samples
from fsbench.report.entries import Entry, Setting
from fsbench.report.rows import OVERALL
from fsbench.stats import Estimate

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Contrast:
    """A weighted sum on a task, or its mean over tasks ("overall").

    `p` is adjusted for the number of comparisons. The verdict is "helps" or "hurts", "equivalent" if the sum
    certainly is within the margin, "not settled", or "withheld" where trials failed or have no value that
    others have, or all splits train on the same samples. `within` says whether it certainly is within the
    margin.
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
    """Each wanted sum on each task, then over tasks; it has no terms on a task that does not count.

    A task with terms that has no trial in common is not among the results, but its failures withhold the
    verdict over tasks.

    All sums on tasks are one family of tests, and lend each other what they say about variances; the means
    over tasks are another. Where all are on one task, the means are those of the task. Sums of which failures
    left no trial count in their family.
    """
    placed = {
        key: [(setting, terms) for setting in found if (terms := terms_of(setting))]
        for key, terms_of in wanted.items()
    }
    keys = [(key, setting.label) for key, places in placed.items() for setting, _ in places]
    every = [place for places in placed.values() for place in places]
    found_samples = samples(every, metric)
    prior = stats.fit_prior(filter(None, found_samples))
    made = estimates(found_samples, [limits_of(terms, metric) for _, terms in every], prior)
    single = {place: each for place, each in zip(keys, made, strict=True) if each}
    wide = zip(placed, over_tasks(list(placed.values()), metric), strict=True)
    means = {(key, OVERALL): each for key, each in wide if each}
    if len({task for _, task in single}) == 1:
        means = {(key, OVERALL): each for (key, _), each in single.items()}
    withheld = {
        (key, task)
        for key, places in placed.items()
        for setting, own in places
        if setting.splits.same or any(setting.lacks(entry, metric.name) for entry, _ in own)
        for task in (setting.label, OVERALL)
    }
    lost = {
        (key, setting.label)
        for key, places in placed.items()
        for setting, own in places
        if _lost(setting, [entry for entry, _ in own], metric)
    }
    over = {(key, OVERALL) for key, _ in lost}
    rows: dict[Key, list[Contrast]] = {key: [] for key in wanted}
    for family, gone in ((single, lost - single.keys()), (means, over - means.keys())):
        judged = stats.judge(list(family.values()), metric.higher_is_better, margin, len(gone))
        for (key, task), each in zip(family, judged, strict=True):
            out = (key, task) in withheld
            word = WITHHELD if out else each.verdict
            rows[key].append(Contrast(task, family[key, task], each.p, word, each.within and not out))
    return rows


def _lost(setting: Setting, entries: Sequence[Entry], metric: Metric) -> bool:
    """Whether all strategies of a sum were tried, and trials of one failed or have no value."""
    tried = all(entry.ok.any() or entry.failed.any() for entry in entries)
    return tried and any(setting.lacks(entry, metric.name) for entry in entries)
