"""Two strategies compared with each other, on the trials that both did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from fsbench import stats
from fsbench.errors import UnknownName
from fsbench.metrics import Metric
from fsbench.report import differences
from fsbench.report.entries import Entry, Setting
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.rows import OVERALL
from fsbench.stats import LEVEL, Estimate, Sample

Names = tuple[str, str]
"""Two strategies by their names in settings."""
WITHHELD = "withheld"


@dataclass(frozen=True)
class Pair:
    """The score of one strategy minus that of another on a task, or the mean over tasks ("overall").

    `p` is adjusted for the number of comparisons. The verdict is "better" or "worse" of the first strategy,
    "equivalent" if the difference certainly is within the margin, "not settled", or "withheld" where trials
    of one of them failed, or all splits train on the same samples. `within` says whether the difference
    certainly is within the margin, which one that is better or worse may be, too.
    """

    task: str
    difference: Estimate
    p: float
    verdict: str
    within: bool = False


def compare(board: Leaderboard, first: str, second: str) -> list[Pair]:
    """The differences between two strategies on each task that both did, then over these tasks.

    Both are named as in the tables. Raises UnknownName for a strategy without records.
    """
    names = {board.name(name): name for setting in board.settings for name in setting.entries}
    for name in (first, second):
        if name not in names:
            raise UnknownName("strategy with results:", name, names)
    (found,) = compare_all(board.settings, [(names[first], names[second])], board.metric, board.margin)
    return found


def compare_all(
    found: Sequence[Setting], pairs: Sequence[Names], metric: Metric, margin: float
) -> list[list[Pair]]:
    """For each pair of strategies, the differences on each task that both did, then over these tasks.

    All differences on tasks are one family of tests, and lend each other what they say about variances; the
    means over tasks are another. Where all are on one task, the means are those of the task.
    """
    on_tasks = {
        (pair, setting.label): each
        for pair in pairs
        for setting, first, second in _with_both(found, pair)
        if (each := differences.sample(setting, first, second, metric))
    }
    rows = _judged(_estimated(on_tasks, metric), metric, margin)
    if len({task for _, task in on_tasks}) == 1:
        overall = {(pair, OVERALL): replace(each, task=OVERALL) for (pair, _), each in rows.items()}
    else:
        means = {(pair, OVERALL): differences.over_tasks(found, *pair, metric) for pair in pairs}
        overall = _judged({key: mean for key, mean in means.items() if mean}, metric, margin)
    withheld = {
        (pair, setting.label)
        for pair in pairs
        for setting, first, second in _with_both(found, pair)
        if setting.splits.same or first.failed.any() or second.failed.any()
    }
    withheld |= {(pair, OVERALL) for pair, _ in withheld}
    judged = {
        key: replace(each, verdict=WITHHELD, within=False) if key in withheld else each
        for key, each in {**rows, **overall}.items()
    }
    return [[each for (names, _), each in judged.items() if names == pair] for pair in pairs]


def _estimated(
    samples: Mapping[tuple[Names, str], Sample], metric: Metric
) -> dict[tuple[Names, str], Estimate]:
    """The differences on tasks, each with what the others let expect of its variance."""
    prior, limits = stats.fit_prior(samples.values()), differences.limits(metric, difference=True)
    return {key: stats.estimate(sample, prior, limits) for key, sample in samples.items()}


def _with_both(found: Iterable[Setting], pair: Names) -> Iterator[tuple[Setting, Entry, Entry]]:
    for setting in found:
        if all(name in setting.entries for name in pair):
            yield setting, setting.entries[pair[0]], setting.entries[pair[1]]


def _judged(
    found: Mapping[tuple[Names, str], Estimate], metric: Metric, margin: float
) -> dict[tuple[Names, str], Pair]:
    """The comparisons of a family, with p-values corrected for their number (Holm)."""
    words = {"helps": "better", "hurts": "worse"}
    p = stats.holm([each.p for each in found.values()])
    equal = stats.holm([stats.equivalence(each, margin) for each in found.values()])
    judged = {}
    for (pair, task), value, within in zip(found, p, equal, strict=True):
        each = found[pair, task]
        word = stats.verdict(each.mean, value, metric.higher_is_better, within)
        judged[pair, task] = Pair(task, each, value, words.get(word, word), within <= 1 - LEVEL)
    return judged
