"""The end of a run: its leaderboard, what failed and why, and the exit status."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fsbench.cli.boards import again, show_boards
from fsbench.cli.output import debugging, few, height, say, show_tracebacks, working
from fsbench.progress.log import FILE_NAME as LOG
from fsbench.record import Record
from fsbench.registry import Registry, get_registry
from fsbench.results import Results
from fsbench.words import names_package, plural

if TYPE_CHECKING:
    from fsbench.report.leaderboard import Leaderboard

INTERRUPTED = 130


def interrupted(folder: Path, kept: str = "finished trials") -> int:
    """Say what an interrupted run keeps; returns the exit status."""
    say(f"interrupted; {kept} are kept in {folder}, and the same command continues from there")
    return INTERRUPTED


def warn_of_failures(registry: Registry) -> None:
    """One line on stderr for each plugin that could not be loaded."""
    for failure in registry.failures:
        say(f"warning: {failure.said}")
        if debugging():
            click.echo(failure.traceback, err=True)


def _extras(results: Results) -> Iterator[str]:
    """A line for each package that a strategy was skipped for."""
    reasons: dict[str, list[Record]] = {}
    for record in results.records:
        message = (record.reason or {}).get("message", "")
        if record.status == "skipped" and names_package(message):
            reasons.setdefault(message, []).append(record)
    for message, records in reasons.items():
        specs, tasks = dict.fromkeys(r.spec for r in records), {r.task for r in records}
        where = records[0].task if len(tasks) == 1 else plural(len(tasks), "task")
        yield f"{', '.join(specs)} left out on {where}: {message}"


def report_end(
    results: Results,
    metric: str,
    margin: float | None,
    folder: Path,
    legend: bool,
    quiet: bool,
    more: Sequence[str] = (),
) -> int:
    """Print the leaderboard, what failed and why, and `more` lines; returns the exit status."""
    from fsbench.report.budgets import leaderboards

    if results.interrupted:
        return interrupted(folder, f"{results.done} of {plural(results.total, 'trial')}")
    with working("computing the tables", plainly=not quiet):
        boards = leaderboards(results.columns(metric), metric, baseline=results.baseline, margin=margin)
    if results.failures and debugging():
        show_tracebacks(results.failures)
    unloaded = [failure.said for failure in get_registry().failures] if sys.stderr.isatty() else []
    problems, hints = [*unloaded, *_extras(results), *_failures(boards)], list(failure_hints(results))
    lines = [*few(problems, str(results.store_path.with_name(LOG))), *hints, *more]
    show_boards(boards, legend, quiet, height(lines), again(folder))
    for line in lines:
        say(line)
    return int(bool(results.failures))


def _failures(boards: Iterable[Leaderboard]) -> list[str]:
    """What failed and why."""
    from fsbench.report.text import problem_lines

    return problem_lines(each for board in boards for each in board.problems if each.kind == "failed")


def failure_hints(results: Results) -> Iterator[str]:
    """What to do about failed trials, if there are any."""
    if not results.failures:
        return
    if not debugging():
        yield "tracebacks: `fsbench --debug leaderboard`, with the same --results"
    failed = f"{len(results.failures)} of {plural(results.total, 'trial')}"
    late = sum((record.reason or {}).get("kind") == "TimeOut" for record in results.failures)
    more_time = f", with a larger --timeout for the {late} that ran out of time" if late else ""
    yield f"{failed} failed; --retry-failed tries them again{more_time}"
