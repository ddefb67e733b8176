"""Remarks about the numbers: trials that failed, were skipped or not run, and mixed versions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fsbench.columns import Columns, Shared
from fsbench.metrics import Metric, scale
from fsbench.record import Status
from fsbench.report.entries import Setting
from fsbench.report.rows import Row
from fsbench.tuning.tuned import row_name
from fsbench.words import plural

Item = tuple[str, Shared, int, tuple[str, int]]
"""The label of a task, what records there share, their number, and the date and seed of the newest."""
_UNKNOWN = ("unknown", "unknown")


@dataclass(frozen=True)
class Problem:
    """Trials of one strategy that have no result, and why; for failures the reason is the latest."""

    kind: Literal["failed", "skipped", "not run"]
    strategy: str
    trials: int
    tasks: tuple[str, ...]
    reason: str = ""


def find_problems(found: Sequence[Setting], strategies: Sequence[str]) -> Iterator[Problem]:
    """Failures first, by strategy; then skips, by strategy and reason; then trials that were not run."""
    for strategy in strategies:
        if failed := list(_records(found, strategy, "failed")):
            _, latest, *_ = max(failed, key=lambda item: item[3])
            yield _problem("failed", strategy, failed, ": ".join(latest.reason or _UNKNOWN))
    for strategy in strategies:
        by_reason = defaultdict(list)
        for item in _records(found, strategy, "skipped"):
            by_reason[(item[1].reason or _UNKNOWN)[1]].append(item)
        for reason, skipped in by_reason.items():
            yield _problem("skipped", strategy, skipped, reason)
    for strategy in strategies:
        missing = {s.label: len(s.pairs) - _tried(s, strategy) for s in found}
        tasks = tuple(label for label, count in missing.items() if count)
        if tasks:
            yield Problem("not run", strategy, sum(missing.values()), tasks)


def mixtures(columns: Columns) -> Iterator[str]:
    """A line for each package with several versions, and one for several devices, in successful records."""
    versions, devices = computed_with(columns)
    for package, several in versions.items():
        if len(several) > 1:
            yield f"results of several versions of {package} are mixed: {', '.join(several)}"
    if len(devices) > 1:
        yield f"seconds come from several devices: {', '.join(devices)}"


def origin(columns: Columns) -> str:
    """The packages, with versions, and devices that computed the successful records; empty without any."""
    versions, devices = computed_with(columns)
    packages = ", ".join(f"{name} {' and '.join(found)}" for name, found in versions.items())
    return f"computed with {packages}; on {', '.join(devices)}" if devices else ""


def computed_with(columns: Columns) -> tuple[dict[str, list[str]], list[str]]:
    """The versions of each package, and the devices, of the successful records; all sorted."""
    good = [shared for shared in columns.shared if shared.status == "ok"]
    versions: dict[str, set[str]] = defaultdict(set)
    for shared in good:
        for package, version in shared.versions:
            versions[package].add(version)
    devices = sorted({shared.device for shared in good})
    return {name: sorted(found) for name, found in sorted(versions.items())}, devices


def reproductions(columns: Columns) -> Iterator[str]:
    """A line for each person who ran some of the trials again."""
    keys = [key.decode() for key in columns.key.tolist()] if columns.evidence.verified else []
    yield from filter(None, (each.said(keys) for each in columns.evidence.verified))


def remarks(found: Sequence[Setting], strategies: Sequence[str], tuning: str) -> Iterator[str]:
    """A line for each strategy with notes: in how many trials, and the most frequent note.

    Here and below, `tuning` is the text of the search, which the names of rows tell.
    """
    for strategy in strategies:
        noted = [(shared.notes, n) for _, shared, n, _ in _records(found, strategy, "ok") if shared.notes]
        if not noted:
            continue
        notes: Counter[str] = Counter()
        for several, count in noted:
            notes.update(dict.fromkeys(several, count))
        note, _ = min(notes.items(), key=lambda item: (-item[1], item[0]))
        others = len(notes) - 1
        most = ", most often" if others else ""
        verb = "is" if others == 1 else "are"
        rest = f"; {plural(others, 'other note')} {verb} in the records" if others else ""
        trials = plural(sum(count for _, count in noted), "trial")
        said = note.removeprefix(f"{strategy}: ")
        yield f"noted: {row_name(strategy, tuning)}, in {trials}{most}: {said}{rest}"


def unstable(tables: Sequence[tuple[str, Sequence[Row]]], tuning: str) -> Iterator[str]:
    """A line for each row whose mean hides two clusters of scores."""
    for label, rows in tables:
        for row in rows:
            if row.unstable:
                name = row_name(row.strategy, tuning)
                yield f"unstable: {name} on {label}; {row.unstable}, so do not rely on their mean"


def training_noises(
    tables: Sequence[tuple[str, Sequence[Row]]], metric: Metric, tuning: str
) -> Iterator[str]:
    """A line for each strategy with several init seeds: its spread between them and between splits.

    These are medians over tasks of standard deviations.
    """
    by_strategy: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for _, rows in tables:
        for row in rows:
            if row.init_deviation is not None and row.split_deviation is not None:
                by_strategy[row.strategy].append((row.init_deviation, row.split_deviation))
    for strategy, pairs in sorted(by_strategy.items()):
        within, between = np.median(pairs, axis=0) * scale(metric)
        yield (
            f"noise of training: {row_name(strategy, tuning)}, standard deviation {within:.3g} between init "
            f"seeds of a split, {between:.3g} between splits"
        )


def _records(found: Sequence[Setting], strategy: str, status: Status) -> Iterator[Item]:
    for setting in found:
        if strategy in setting.entries:
            for shared, count, newest in setting.entries[strategy].with_status(status):
                yield setting.label, shared, count, newest


def _tried(setting: Setting, strategy: str) -> int:
    return int((setting.entries[strategy].rows >= 0).sum()) if strategy in setting.entries else 0


def _problem(
    kind: Literal["failed", "skipped"], strategy: str, items: Sequence[Item], reason: str
) -> Problem:
    tasks = tuple(dict.fromkeys(label for label, *_ in items))
    return Problem(kind, strategy, sum(count for _, _, count, _ in items), tasks, reason)
