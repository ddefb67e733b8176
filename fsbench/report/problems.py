"""Remarks about the numbers: trials that failed, were skipped or not run, and mixed versions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from fsbench.report.entries import Setting
from fsbench.types import Record
from fsbench.words import plural


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
        failed = list(_records(found, strategy, "failed"))
        if failed:
            _, latest = max(failed, key=lambda item: (item[1].created, item[1].split_seed))
            yield _problem(
                "failed", strategy, failed, f"{_reason(latest, 'kind')}: {_reason(latest, 'message')}"
            )
    for strategy in strategies:
        by_reason = defaultdict(list)
        for item in _records(found, strategy, "skipped"):
            by_reason[_reason(item[1], "message")].append(item)
        for reason, skipped in by_reason.items():
            yield _problem("skipped", strategy, skipped, reason)
    for strategy in strategies:
        missing = {s.label: len(s.pairs) - _tried(s, strategy) for s in found}
        tasks = tuple(label for label, count in missing.items() if count)
        if tasks:
            yield Problem("not run", strategy, sum(missing.values()), tasks)


def mixtures(records: Iterable[Record]) -> Iterator[str]:
    """A line for each package with several versions, and one for several devices, in successful records."""
    versions, devices = _computed_with(records)
    for package, several in versions.items():
        if len(several) > 1:
            yield f"results of several versions of {package} are mixed: {', '.join(several)}"
    if len(devices) > 1:
        yield f"seconds come from several devices: {', '.join(devices)}"


def origin(records: Iterable[Record]) -> str:
    """The packages, with versions, and devices that computed the successful records; empty without any."""
    versions, devices = _computed_with(records)
    packages = ", ".join(f"{name} {' and '.join(found)}" for name, found in versions.items())
    return f"computed with {packages}; on {', '.join(devices)}" if devices else ""


def _computed_with(records: Iterable[Record]) -> tuple[dict[str, list[str]], list[str]]:
    """The versions of each package, and the devices, of the successful records; all sorted."""
    good = [record for record in records if record.status == "ok"]
    versions: dict[str, set[str]] = defaultdict(set)
    for record in good:
        for package, version in record.versions.items():
            versions[package].add(version)
    devices = sorted({record.device for record in good})
    return {name: sorted(found) for name, found in sorted(versions.items())}, devices


def remarks(found: Sequence[Setting], strategies: Sequence[str]) -> Iterator[str]:
    """A line for each strategy with notes: in how many trials, and the most frequent note."""
    for strategy in strategies:
        noted = [record.notes for _, record in _records(found, strategy, "ok") if record.notes]
        if not noted:
            continue
        notes = Counter(note for several in noted for note in several)
        note, _ = min(notes.items(), key=lambda item: (-item[1], item[0]))
        others = f" (and {len(notes) - 1} more in the records)" if len(notes) > 1 else ""
        yield f"noted: {strategy}, in {plural(len(noted), 'trial')}; {note}{others}"


def _records(found: Sequence[Setting], strategy: str, status: str) -> Iterator[tuple[str, Record]]:
    for setting in found:
        if strategy in setting.entries:
            for _, record in sorted(setting.entries[strategy].records.items()):
                if record.status == status:
                    yield setting.label, record


def _tried(setting: Setting, strategy: str) -> int:
    return len(setting.entries[strategy].records) if strategy in setting.entries else 0


def _reason(record: Record, part: str) -> str:
    return (record.reason or {}).get(part, "unknown")


def _problem(
    kind: Literal["failed", "skipped"], strategy: str, items: Sequence[tuple[str, Record]], reason: str
) -> Problem:
    return Problem(kind, strategy, len(items), tuple(dict.fromkeys(label for label, _ in items)), reason)
