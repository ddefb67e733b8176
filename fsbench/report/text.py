"""The words and numbers of a leaderboard, formatted here for all output formats."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from fsbench.composition import BASELINE
from fsbench.metrics import Metric
from fsbench.metrics import number as number
from fsbench.report import sources
from fsbench.report.baselines import BEST
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.names import some
from fsbench.report.problems import Problem
from fsbench.report.rows import Row, Saved
from fsbench.stats import Estimate
from fsbench.tasks.expressions import task_labels
from fsbench.tuning.criteria import ON_INPUTS
from fsbench.words import enumerated, plural

AGAINST = "vs baseline"
SOURCE = "source"
LABELS = "labels"
OVERALL_COLUMNS = ("#", "strategy", "uses", "score", "vs erm", "verdict", LABELS, AGAINST, "done", "cost")
TASK_COLUMNS = (
    *("#", "strategy", "uses", "score", "vs erm", "verdict", LABELS, AGAINST),
    *("train", SOURCE, "done", "sec", "MB"),
)
ONLY_COLUMNS = (*TASK_COLUMNS[:-2], "cost", *TASK_COLUMNS[-2:])
"""The columns of the only task: those of a task, and what else an overall table has."""
RIGHT = frozenset({"#", "train", "done", "cost", "sec", "MB"})
NOTHING = "-"
# An interval whose sides differ by less than this factor is shown by half its width.
_SYMMETRIC = 1.5
_LEAST = 0.001
"""The least ratio of seconds that is shown as a number."""
_BEYOND = {"": "", "above": ">", "below": "<"}
_ENDS = ("<", "below"), (">", "above")
NO_RESULT = "No trial has a result."
EMPTY = "No results yet; `fsbench run` produces some."
_DRAWN = {"random": "", "tpe": "(drawn by TPE) "}
_GIVEN = {
    "source": "source data",
    "unlabeled": "unlabelled data",
    "pretrained": "pretrained weights",
    "test_inputs": "test inputs",
    "val": "validation labels",
}


def interval(estimate: Estimate | None, metric: Metric, sign: bool = False) -> str:
    """`71.2 ± 3.4`, or `98.1 (92.5-99.6)` where the interval is not symmetric; `71.2` without one."""
    if estimate is None:
        return NOTHING
    mean = number(estimate.mean, metric, sign)
    if estimate.low is None or estimate.high is None:
        return mean
    below, above = estimate.mean - estimate.low, estimate.high - estimate.mean
    half, whole = (below + above) / 2, metric.percent and not sign
    beyond = whole and not half <= estimate.mean <= 1 - half
    if max(below, above) <= _SYMMETRIC * min(below, above) and not beyond:
        return f"{mean} ± {number(half, metric)}"
    dash = " to " if sign or estimate.low < 0 else "-"
    return f"{mean} ({number(estimate.low, metric, sign)}{dash}{number(estimate.high, metric, sign)})"


def score(row: Row, metric: Metric) -> str:
    """The score with its unit."""
    return interval(row.score, metric) + (" %" if metric.percent else "")


def difference(row: Row, metric: Metric) -> str:
    """The difference to the baseline, with its star."""
    return interval(row.difference, metric, sign=True) + star(row)


def star(row: Row) -> str:
    """A star behind a difference that covers only a part of the tasks or trials."""
    return "*" if row.difference and not (row.complete and row.matched) else ""


def difference_to(board: Leaderboard) -> str:
    """What the heat maps show: `Difference to erm in points of balanced accuracy`."""
    points = "points of " if board.metric.percent else ""
    return f"Difference to {board.baseline} in {points}{board.metric.title}"


def columns(board: Leaderboard, names: Sequence[str]) -> list[str]:
    """The columns that a leaderboard has, of those of the given names."""
    there = {
        AGAINST: bool(board.against),
        SOURCE: any(row.source_before is not None for row in board.rows),
        LABELS: any(row.saved for row in board.rows),
    }
    return [name for name in names if there.get(name, True)]


def main_columns(board: Leaderboard) -> list[str]:
    """The columns of the main table of a leaderboard."""
    return columns(board, OVERALL_COLUMNS if board.further else ONLY_COLUMNS)


def main_heading(board: Leaderboard) -> str:
    """What the main table of a leaderboard is about."""
    return "Overall: mean over tasks" if board.further else heading(*board.tasks[0])


def column(name: str, board: Leaderboard) -> str:
    """The heading of a column."""
    return f"vs {board.against}" if name == AGAINST else name


def against(row: Row, metric: Metric) -> str:
    """The difference to the best baseline and, if there is one, the claim about it."""
    found = row.against
    if found is None:
        return NOTHING
    if found.difference is None:
        return "best" if row.strategy == found.baseline else NOTHING
    claim = f" {found.verdict}" if found.verdict in ("better", "worse") else ""
    part = "" if row.complete and found.matched else "*"
    return f"{interval(found.difference, metric, sign=True)}{part}{claim}"


def saved(row: Row) -> str:
    """How many times as many labels plain training needs: `2.4x (1.8-3.6)`, or `>4.0x` beyond the range.

    Nothing where the score, or the interval, is open at both ends.
    """
    found = row.saved
    if found is None or "both" in (found.beyond, found.ends_beyond):
        return NOTHING
    times = f"{_BEYOND[found.beyond]}{found.times:.1f}x"
    ends = saved_interval(found)
    return f"{times} ({ends})" if ends else times


def saved_interval(found: Saved, to: str = "-") -> str:
    """The interval of a number of times, `1.8-3.6`, or `<1.0 to 3.6` with an end beyond the range.

    "" without one, or if all of it lies beyond.
    """
    if found.low is None or found.high is None or found.low == found.high:
        return ""
    below, above = (each if found.ends_beyond in (side, "both") else "" for each, side in _ENDS)
    between = " to " if found.ends_beyond else to
    return f"{below}{found.low:.1f}{between}{above}{found.high:.1f}"


def verdict(row: Row) -> str:
    """The verdict or, without one, what happened to the trials."""
    if not row.done:
        return row.absence
    found = f"no {BASELINE}" if row.verdict == "none" else row.verdict
    return f"{found}, unstable" if row.unstable else found


def uses(row: Row) -> str:
    """What a strategy uses beyond the few labels."""
    return ", ".join(use.replace("_", " ") for use in row.uses) if row.uses else NOTHING


def shown(row: Row, metric: Metric) -> dict[str, str]:
    """The texts of a row, by the names of the columns."""
    return {
        "#": str(row.rank) if row.rank else NOTHING,
        "strategy": row.strategy,
        "uses": uses(row),
        "score": interval(row.score, metric),
        "vs erm": difference(row, metric),
        "verdict": verdict(row),
        LABELS: saved(row),
        AGAINST: against(row, metric),
        "train": NOTHING if row.train_accuracy is None else f"{100 * row.train_accuracy:.1f}",
        SOURCE: sources.kept(row) or NOTHING,
        "done": f"{row.done}/{row.planned}",
        "cost": NOTHING if row.cost is None else f"{times(row.cost)}x",
        "sec": NOTHING if row.seconds is None else seconds(row.seconds),
        "MB": NOTHING if row.peak_memory is None else f"{row.peak_memory / 1e6:.0f}",
    }


def times(ratio: float, decimals: int = 1) -> str:
    """A ratio of seconds: `12`, `1.1`, `0.04`, `0.003` or `<0.001`; `decimals` are those of one near 1."""
    if ratio < _LEAST:
        return f"<{_LEAST}"
    if ratio < 0.095:
        return f"{ratio:.1g}"
    return f"{ratio:.{decimals if ratio < 10 else decimals - 1}f}"


def margin(size: float, metric: Metric) -> str:
    """A margin of equivalence in words."""
    if metric.percent:
        return f"{100 * size:g} point{'' if size == 0.01 else 's'}"
    return f"{size:g}"


def seconds(value: float) -> str:
    """Seconds with about two digits."""
    return f"{value:.2f}" if value < 1 else f"{value:.1f}" if value < 10 else f"{value:.0f}"


def measure(metric: Metric) -> str:
    """A metric with its unit, and which way is better."""
    unit, better = " in %" if metric.percent else "", "higher" if metric.higher_is_better else "lower"
    return f"{metric.title}{unit} ({better} is better)"


def title(board: Leaderboard) -> str:
    """One line: the metric, and the number of tasks, seeds and trials."""
    low, high = board.split_seeds
    seeds = plural(low, "split seed") if low == high else f"{low} to {high} split seeds"
    tasks, trials = plural(len(board.tasks), "task"), plural(board.trials, "trial")
    tuned = f", tuned over {plural(board.tuned, 'configuration')}" if board.tuned else ""
    return f"{measure(board.metric)}, {tasks}, {seeds}, {trials}{tuned}"


def tuned(board: Leaderboard) -> str:
    """One line about a leaderboard of tuned results."""
    assert board.tuning is not None, "it is not of tuned results"
    criterion = board.tuning.criterion
    where = f"; where the target has no label, by {criterion} {ON_INPUTS}" if criterion else ""
    return (
        f"Tuned: each strategy, {BASELINE} too, chose the best of {plural(board.tuned, 'configuration')} "
        f"{_DRAWN[board.tuning.sampler]}without the test part{where}"
    )


def heading(label: str, rows: Sequence[Row]) -> str:
    """A task's label and, if the task says so, its labels in all."""
    budget = task_labels(rows[0].task)
    return f"{label}: {budget}" if budget else label


def legend(board: Leaderboard) -> dict[str, str]:
    """How to read the table, column by column, for somebody who has never seen it."""
    compared = plural(board.comparisons, "comparison")
    several = f"all {compared} on tasks (those over tasks are corrected separately)"
    meanings = {
        "#": "rank by the mean over tasks, only for strategies with a result in every trial of every task; "
        "neighbours whose intervals overlap may change places with more seeds",
        "uses": "what a strategy uses beyond the few labels; rows that differ here had different information",
        "score": f"{board.metric.meaning}; mean over split seeds ± the half-width of its 95 % interval, or "
        "its ends (none with one seed, which says nothing about the spread)",
        f"vs {BASELINE}": f"the score minus that of {board.baseline} (plain training) on the same splits, ± "
        "the half-width of its 95 % interval; * marks a difference on some of the tasks or trials only, "
        "those where both have a result",
        "verdict": "helps or hurts: significant at the 5 % level after a correction (Holm) for "
        f"{several if board.further else f'the {compared} in the table'}; "
        f"equivalent: significantly within {margin(board.margin, board.metric)}; withheld: trials failed, or "
        "all splits train on the same samples; unstable: the scores are in two clusters",
        LABELS: f"labels saved: how many times as many labels {board.baseline} needs for the same score, by "
        "its learning curve over the tasks that differ in the number of labels only, with the 95 % interval; "
        "> or < where the score or an end of the interval lies beyond the measured range; overall, the "
        "geometric mean over the tasks that do not have the largest number of their series",
        AGAINST: _of_baselines(board),
        "train": "accuracy in % on the training labels as given; far above the score, it shows overfitting",
        SOURCE: "accuracy in % on held-out samples of the source, by the nearest class mean of the network's "
        "features, before and after the training on the task; what is lost has been forgotten",
        "done": "number of trials with a result; in the overall table, of tasks",
        "cost": f"seconds to fit and predict, divided by those of {board.baseline} in the same trial on the "
        "same device; the median",
        "sec": "median seconds of a trial, to fit and predict",
        "MB": "median peak memory of a trial: of its process on a CPU, of its allocations on a GPU",
    }
    return {column(name, board): meanings[name] for name in columns(board, list(meanings))}


def _of_baselines(board: Leaderboard) -> str:
    if board.against != BEST:
        return (
            f"the score minus that of {board.against} on the same splits; better or worse only if significant"
        )
    return (
        "the score minus that of the baseline with the best score on the same splits; better: than every "
        "baseline, worse: than one, both after a correction for all comparisons in the column; the best is "
        "chosen by the same results, so the difference flatters it, and the interval does not allow for that"
    )


def without_result(rows: Iterable[Row]) -> str:
    """The strategies without a result on a task, by reason: `skipped: dann, maml; failed: boom`."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if not row.done:
            found.setdefault(verdict(row), []).append(row.strategy)
    return "; ".join(f"{why}: {', '.join(names)}" for why, names in sorted(found.items()))


def problem_lines(problems: Iterable[Problem]) -> list[str]:
    """A line for each failed strategy, and one for all that were skipped on the same tasks for one reason.

    Strategies that were not run in the same number of trials of the same tasks share one, too.
    """
    together: dict[tuple[object, ...], list[Problem]] = {}
    for problem in problems:
        own = {"failed": problem.strategy, "not run": problem.trials}.get(problem.kind)
        together.setdefault((problem.kind, problem.reason, problem.tasks, own), []).append(problem)
    return [_problem_line(several) for several in together.values()]


def _problem_line(several: Sequence[Problem]) -> str:
    first, names = several[0], ", ".join(problem.strategy for problem in several)
    if first.kind == "failed":
        trials = plural(first.trials, "trial")
        return f"failed: {names}, {trials} on {some(first.tasks)}; latest: {first.reason}"
    reason = f": {first.reason}" if first.reason else ""
    each = " each" if len(several) > 1 else ""
    trials = f", {plural(first.trials, 'trial')}{each}" if first.kind == "not run" else ""
    return f"{first.kind}: {names}{trials} on {some(first.tasks)}{reason}"


def information(rows: Iterable[Row], shown: Container[str]) -> list[str]:
    """A line that says which strategies use more than the few labels, if no column that is `shown` does."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.uses:
            found.setdefault(used(row.uses), []).append(row.strategy)
    said = "; ".join(f"{what}: {', '.join(names)}" for what, names in found.items())
    return [f"uses {said}"] if found and "uses" not in shown else []


def used(uses: Iterable[str]) -> str:
    """What a strategy uses, in words: `source data, test inputs and validation labels`."""
    return enumerated([_GIVEN.get(use, use) for use in uses])
