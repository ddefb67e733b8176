"""A comparison of two sides as a sheet: what a reviewer needs to know first, then the tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fsbench.metrics import Metric
from fsbench.report import text
from fsbench.report.changes import Change, Comparison
from fsbench.report.pairs import SAME
from fsbench.report.rows import rounded
from fsbench.report.sheets import Section, Sheet
from fsbench.words import plural

_RIGHT = frozenset({"A", "B", "p", "tasks", "splits", "cost"})
_NAMES = frozenset({"strategy", "task"})


def sheet_of(found: Comparison) -> Sheet:
    """The sheet of a comparison."""
    rows = [_row(each) for each in (*found.overall, *found.rows)]
    return Sheet(
        title=f"{found.titles[0]} → {found.titles[1]}",
        lines=(headline(found), *_details(found)),
        sections=tuple(_sections(found)),
        rows=rows,
        data={
            "a": found.titles[0],
            "b": found.titles[1],
            "metric": found.metric.name,
            "margin": found.margin,
            "is_worse": found.is_worse,
            "overall": rows[: len(found.overall)],
            "tasks": rows[len(found.overall) :],
            "lost": [vars(each) for each in found.lost],
            "differing": list(found.differing),
            "left_out": list(found.left_out),
        },
    )


def headline(found: Comparison) -> str:
    """What became of the strategies over tasks, in one sentence."""
    done = sum(each.done for each in found.rows)
    if not found.rows:
        return "B is worse: every trial that could be compared failed."
    if not found.lost and done == sum(each.equal for each in found.rows):
        return f"Nothing changed: {plural(done, 'trial')}, each with the same {found.metric.title}."
    if len(found.overall) == 1:
        return f"{_only(found.overall[0], len(found.rows), found.metric)}."
    worse, better = _with(found.overall, "worse"), _with(found.overall, "better")
    total = f"of {plural(len(found.overall), 'strategy')}"
    if not worse and not better:
        return f"None {total} changed beyond noise over its tasks."
    parts = [
        f"{len(each)} {total} {word} over its tasks: {', '.join(c.strategy for c in each)}"
        for word, each in (("worse", worse), ("better", better))
        if each
    ]
    return f"{'; '.join(parts)}."


def _only(change: Change, tasks: int, metric: Metric) -> str:
    """The overall change of the only strategy."""
    said = {
        "worse": "B is worse",
        "better": "B is better",
        "equivalent": "A and B are equivalent",
        "withheld": "No verdict",
        "not settled": "No change beyond noise",
    }[change.verdict]
    scores = f"{text.number(change.before, metric)} → {text.number(change.after, metric)}"
    gain = text.interval(change.difference, metric, sign=True)
    return f"{said}: {change.strategy}, {metric.title} {scores} ({gain}) over {plural(tasks, 'task')}"


def _details(found: Comparison) -> Iterator[str]:
    """What happened on single tasks, and the trials that were lost."""
    if found.rows:
        counts = [f"{len(_with(found.rows, word))} {word}" for word in ("worse", "better")]
        results = f"{plural(len(found.rows), 'result')} on single tasks"
        yield f"Beyond noise, of {results}: {', '.join(counts)}."
    for each in found.lost:
        trials = plural(each.trials, "trial")
        yield f"Failed in B, not in A: {each.strategy} on {each.task}, {trials}; latest: {each.reason}"


def _with(changes: Sequence[Change], verdict: str) -> list[Change]:
    return [each for each in changes if each.verdict == verdict]


def _sections(found: Comparison) -> Iterator[Section]:
    single = len(found.overall) == 1
    if found.overall:
        yield _table("Over tasks", found.overall, found, "tasks", single)
    changed = [each for each in found.rows if each.is_settled]
    rest = [each for each in found.rows if not each.is_settled]
    if changed:
        yield _table("Changed beyond noise", changed, found, "splits", single)
    if rest:
        title = f"Not changed beyond noise: {plural(len(rest), 'result')} on single tasks"
        yield _table(title, rest, found, "splits", single, folded=True)
    if found.differing:
        yield Section("What else differs between A and B", found.differing)
    if found.left_out:
        yield Section("Left out", found.left_out)
    yield Section("How to read this", tuple(_legend(found)), folded=True)


def _table(
    title: str, changes: Sequence[Change], found: Comparison, counted: str, single: bool, folded: bool = False
) -> Section:
    """The table of some changes; one of a single strategy does not name it on every line."""
    over = counted == "tasks"
    columns = ["strategy"] * (over or not single) + ["task"] * (not over)
    columns += ["A", "B", "B - A", "verdict", "p", counted, "cost"]
    tasks = {each.strategy: 0 for each in changes}
    for row in found.rows:
        tasks[row.strategy] = tasks.get(row.strategy, 0) + 1
    rows = []
    for each in changes:
        shown = _shown(each, found.metric)
        shown["tasks"] = str(tasks[each.strategy])
        rows.append(tuple(shown[name] for name in columns))
    return Section(title, (), tuple(columns), tuple(rows), _RIGHT, _NAMES, folded)


def _shown(change: Change, metric: Metric) -> dict[str, str]:
    return {
        "strategy": change.strategy,
        "task": change.task,
        "A": text.number(change.before, metric),
        "B": text.number(change.after, metric),
        "B - A": "0" if change.is_same else text.interval(change.difference, metric, sign=True),
        "verdict": verdict(change),
        "p": f"{change.p:.2g}",
        "splits": str(change.difference.n),
        "cost": text.NOTHING if change.cost is None else f"{text.times(change.cost, 2)}x",
    }


def verdict(change: Change) -> str:
    """The verdict on a change in words."""
    if change.is_same:
        return SAME
    return f"{change.verdict}, within the margin" if change.is_settled and change.small else change.verdict


def _legend(found: Comparison) -> Iterator[str]:
    yield f"A is {found.titles[0]}, B is {found.titles[1]}; only trials with a result in both count"
    yield f"A and B: the {text.measure(found.metric)}, a mean over split seeds"
    yield "B - A: the paired difference, ± the half-width of its 95 % interval, or its ends"
    yield (
        "verdict: better or worse if significant at the 5 % level after a correction (Holm) for all results "
        "on single tasks, or for all strategies over tasks; equivalent if the change is significantly "
        f"within {text.margin(found.margin, found.metric)}; the same if every trial has the same value; "
        "withheld where trials failed or have no value, or all splits train on the same samples"
    )
    yield (
        "cost: the seconds of B divided by those of A in the same trials on the same device; the median; "
        "where that of erm is far from 1, the machine was not equally busy, which affects all"
    )


def _row(change: Change) -> dict[str, Any]:
    """The numbers of a change; where every trial has the same value, it is certain that nothing changed."""
    low, high = (0.0, 0.0) if change.is_same else (change.difference.low, change.difference.high)
    return {
        "strategy": change.strategy,
        "task": change.task,
        "a": rounded(change.before),
        "b": rounded(change.after),
        "difference": rounded(change.difference.mean),
        "difference_low": rounded(low),
        "difference_high": rounded(high),
        "p_adjusted": rounded(change.p),
        "verdict": SAME if change.is_same else change.verdict,
        "within_margin": change.is_same or change.small,
        "trials": change.done,
        "equal_trials": change.equal,
        "split_seeds": change.difference.n,
        "cost": rounded(change.cost),
    }
