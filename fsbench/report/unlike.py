"""In what two sides differ, and what only one of them has, in lines for a reader."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fsbench.report.entries import Entry, Setting, natural
from fsbench.report.looking import COLLECTED
from fsbench.report.names import some
from fsbench.report.problems import computed_with
from fsbench.report.sides import LETTERS, Side
from fsbench.spec import format_value, parse_call
from fsbench.words import plural

Named = tuple[str, str]
"""The names of the strategies that are compared, in A and in B."""
Place = tuple[str, Setting, Entry, Entry]
"""A strategy on a task: its name, the setting, its records in A and those in B."""
_WORD = re.compile(r"(?<=#)[^\s(),#]+?\+[\w.-]+|[^\s(),+#]+")
_NOTHING = "nothing"
_MOST_NAMES = 4


@dataclass(frozen=True)
class Lost:
    """Trials of a strategy on a task that have a result in A and failed in B, and the latest reason."""

    strategy: str
    task: str
    trials: int
    reason: str


def lost_trials(places: Sequence[Place]) -> Iterator[Lost]:
    """What failed in B only, for each strategy and task."""
    for name, setting, ours, theirs in places:
        trials = int((ours.ok & theirs.failed).sum())
        if trials:
            last, *_ = max(theirs.with_status("failed"), key=lambda item: item[2])
            yield Lost(name, setting.label, trials, ": ".join(last.reason or ("unknown", "unknown")))


def on_one_side(places: Sequence[Place], metric: str) -> Iterator[str]:
    """A line for each strategy whose trials have a result on one side and, on the other, none or no value.

    Those that failed in B are not among them (`lost_trials`).
    """
    found: dict[tuple[str, str, str], dict[str, int]] = defaultdict(dict)
    for name, setting, ours, theirs in places:
        a, b = (np.isfinite(each.values(metric)) for each in (ours, theirs))
        alone = {
            ("A", f"no {metric} in B"): a & theirs.ok & ~b,
            ("B", f"no {metric} in A"): b & ours.ok & ~a,
            ("A", _why(theirs, "B")): ours.ok & ~theirs.ok & ~theirs.failed,
            ("B", _why(ours, "A")): theirs.ok & ~ours.ok & ~ours.failed,
            ("B", "failed in A"): theirs.ok & ours.failed,
        }
        for (letter, why), trials in alone.items():
            if trials.any():
                found[name, letter, why][setting.label] = int(trials.sum())
    for (name, letter, why), by_task in found.items():
        count = plural(sum(by_task.values()), "trial")
        yield f"{name} on {some(list(by_task))}: {count} with a result in {letter} only ({why})"


def _why(entry: Entry, letter: str) -> str:
    """Why an entry has no result where the other side has one."""
    for shared in entry.shared:
        if shared.status == "skipped":
            return f"skipped in {letter}: {(shared.reason or ('', 'unknown'))[1]}"
    return f"not run in {letter}"


def only_in(a: Side, b: Side, named: Sequence[Named]) -> Iterator[str]:
    """Lines about tasks, recipes and strategies that only one side has."""
    tasks = [{shared.task for shared in each.columns.shared} for each in (a, b)]
    for letter, alone in zip(LETTERS, (tasks[0] - tasks[1], tasks[1] - tasks[0]), strict=True):
        if alone:
            yield f"only in {letter}: {_listed(alone, 'task')}"
    for task in sorted(tasks[0] & tasks[1], key=natural):
        recipes = [{s.recipe for s in each.columns.shared if s.task == task} for each in (a, b)]
        if not recipes[0] & recipes[1]:
            first, second = _apart(min(recipes[0]), min(recipes[1]))
            yield f"{task}: another recipe, with {first} in A and {second} in B"
    if not (a.only and b.only):
        for place, (letter, each) in enumerate(zip(LETTERS, (a, b), strict=True)):
            if names := each.names.keys() - {names[place] for names in named}:
                yield f"only in {letter}: {_listed(names, 'strategy')}"


def _listed(names: set[str] | frozenset[str], noun: str) -> str:
    """Names if they are few, otherwise the first of them and the number of the rest."""
    ordered = sorted(names, key=natural)
    more = f" and {len(ordered) - _MOST_NAMES} more" if len(ordered) > _MOST_NAMES else ""
    return f"{plural(len(ordered), noun)}: {', '.join(ordered[:_MOST_NAMES])}{more}"


def _apart(first: str, second: str) -> tuple[str, str]:
    """The arguments in which two recipes differ."""
    ours, theirs = arguments = [parse_call(text).keywords if text else {} for text in (first, second)]
    names = [name for name in sorted({*ours, *theirs}) if ours.get(name) != theirs.get(name)]
    first, second = (
        ", ".join(f"{n}={format_value(each[n])}" for n in names if n in each) or _NOTHING
        for each in arguments
    )
    return first, second


def differing(a: Side, b: Side, named: Sequence[Named]) -> Iterator[str]:
    """Lines about what may explain a change: code, arguments, information, labels, packages, devices."""
    for ours, theirs in named:
        first, second = a.full_spec(ours), b.full_spec(theirs)
        if ours == theirs and first != second:
            yield f"{ours}: {' → '.join(_words_apart(first, second))}"
        uses = [{use for s in side.names[name] for use in s.uses} for side, name in ((a, ours), (b, theirs))]
        if uses[0] != uses[1]:
            shown = [", ".join(sorted(each)) or _NOTHING for each in uses]
            yield f"{theirs} uses {shown[1]} in B, {ours} uses {shown[0]} in A"
        tuned = bool(a.names[ours][0].tuning), bool(b.names[theirs][0].tuning)
        yield from _labels(ours, theirs, tuned)
    yield from _environments(a, b)
    for letter, each in zip(LETTERS, (a, b), strict=True):
        if each.columns.evidence.looks:
            yield f"{letter} {COLLECTED}, which these p-values do not take into account"


def _labels(ours: str, theirs: str, tuned: tuple[bool, bool]) -> Iterator[str]:
    """A line where only one side was tuned: the sides are trained on different numbers of labels."""
    if tuned[0] != tuned[1]:
        (_, letter, more), (_, other, fewer) = sorted(zip(tuned, LETTERS, (ours, theirs), strict=True))[::-1]
        yield (
            f"number of labels: {more} in {letter} was tuned, so it is trained on validation labels of the "
            f"target too, {fewer} in {other} on training labels only"
        )


def _environments(a: Side, b: Side) -> Iterator[str]:
    """Lines about packages and devices that are not the same; nothing is known of trials that failed."""
    (before, old), (after, new) = computed_with(a.columns), computed_with(b.columns)
    if not old or not new:
        return
    for package in sorted(before.keys() | after.keys()):
        first, second = (" and ".join(each.get(package, ["not there"])) for each in (before, after))
        if first != second:
            yield f"{package}: {first} → {second}"
    if old != new:
        yield f"device: {', '.join(old)} → {', '.join(new)}; seconds of different devices are not compared"


def _words_apart(first: str, second: str) -> tuple[str, str]:
    """The arguments and marks of two full specs that only one of them has."""
    ours, theirs = _WORD.findall(first), _WORD.findall(second)
    alone = [word for word in ours if word not in theirs], [word for word in theirs if word not in ours]
    before, after = (", ".join(words) or _NOTHING for words in alone)
    return before, after
