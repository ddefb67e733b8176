"""Two strategies compared with each other, on the trials that both did."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fsbench import stats
from fsbench.errors import UnknownName
from fsbench.metrics import Metric
from fsbench.report import differences
from fsbench.report.entries import Setting
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.rows import OVERALL
from fsbench.stats import Estimate


@dataclass(frozen=True)
class Pair:
    """The score of one strategy minus that of another on a task, or the mean over tasks ("overall").

    `p` is adjusted for the number of tasks. The verdict is "better" or "worse" of the first strategy,
    "equivalent" if the difference certainly is within the margin, "not settled", or "withheld" where trials
    of one of them failed, or all splits train on the same samples.
    """

    task: str
    difference: Estimate
    p: float
    verdict: str


def compare(board: Leaderboard, first: str, second: str) -> list[Pair]:
    """The differences between two strategies on each task that both did, then over these tasks.

    Both are named as in the tables. With one task, the overall comparison is that of the task. Raises
    UnknownName for a strategy without records.
    """
    names = {board.name(name): name for setting in board.settings for name in setting.entries}
    for name in (first, second):
        if name not in names:
            raise UnknownName("strategy with results:", name, names)
    ours, theirs = names[first], names[second]
    both = [s for s in board.settings if ours in s.entries and theirs in s.entries]
    metric = board.metric
    found = [(each.label, _on_task(each, ours, theirs, metric)) for each in both]
    on_tasks = _judged(board, [(task, each) for task, each in found if each])
    mean = differences.over_tasks(both, ours, theirs, metric)
    overall = on_tasks if len(on_tasks) == 1 else _judged(board, [(OVERALL, mean)] if mean else [])
    pairs = [*on_tasks, *(replace(each, task=OVERALL) for each in overall)]
    withheld = {s.label for s in both if s.splits.same or _failed(s, ours, theirs)}
    withheld |= {OVERALL} if withheld else set()
    return [replace(each, verdict="withheld") if each.task in withheld else each for each in pairs]


def _on_task(setting: Setting, ours: str, theirs: str, metric: Metric) -> Estimate | None:
    """Ours minus theirs; what differences to plain training let expect is not about these differences."""
    found = differences.sample(setting, setting.entries[ours], setting.entries[theirs], metric)
    return stats.estimate(found, limits=differences.limits(metric, difference=True)) if found else None


def _failed(setting: Setting, *names: str) -> bool:
    return any(setting.entries[name].count("failed") for name in names)


def _judged(board: Leaderboard, found: list[tuple[str, Estimate]]) -> list[Pair]:
    """The comparisons of a family, with p-values corrected for their number (Holm)."""
    words = {"helps": "better", "hurts": "worse"}
    p = stats.holm([each.p for _, each in found])
    equal = stats.holm([stats.equivalence(each, board.margin) for _, each in found])
    pairs = []
    for (task, each), value, within in zip(found, p, equal, strict=True):
        word = stats.verdict(each.mean, value, board.metric.higher_is_better, within)
        pairs.append(Pair(task, each, value, words.get(word, word)))
    return pairs
