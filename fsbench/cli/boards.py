"""`fsbench leaderboard`: compare stored records in the terminal."""

from __future__ import annotations

import difflib
import shlex
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fsbench.cli.options import board_options, legend_option
from fsbench.cli.output import console, debugging, say, show_tracebacks, working
from fsbench.columns import Columns
from fsbench.datasets.known import DATASETS
from fsbench.errors import AbsentData, UsageError
from fsbench.kinds import kind_names
from fsbench.recipes.recipe import parse_recipe, task_recipe
from fsbench.record import Record
from fsbench.report.names import some
from fsbench.runner import DEFAULT_RESULTS
from fsbench.same_data import check_records
from fsbench.tasks.expressions import named_datasets, parse_tasks, task_calls, task_texts
from fsbench.tasks.suites import Suite, load_suite
from fsbench.types import Recipe, TaskInfo
from fsbench.words import plural

if TYPE_CHECKING:
    from fsbench.report.leaderboard import Leaderboard


@click.command(short_help="Print the tables of stored results.")
@board_options
@legend_option
def leaderboard(
    results: Path,
    suite: str | None,
    tasks: str | None,
    metric: str,
    baseline: str | None,
    margin: float | None,
    legend: bool,
    all_versions: bool,
) -> None:
    """Print the leaderboard of stored results; tuned results have leaderboards of their own, after it.

    `fsbench report` writes it as a page, as tables for a paper, as figures, or as data.
    """
    from fsbench.report.budgets import leaderboards
    from fsbench.report.stored import read_records

    with working("computing the tables"):
        columns = read_selected(results, [metric], suite, tasks)
        boards = leaderboards(columns, metric, all_versions, baseline, margin)
    show_boards(boards, legend, again=again(results))
    if debugging():
        show_tracebacks(whole_records(read_records(results), columns))


def read_selected(path: Path, metrics: Sequence[str], suite: str | None, tasks: str | None) -> Columns:
    """The records of a results folder or of a published file, as `select` selects them. Raises as it does."""
    from fsbench.report.stored import read_columns

    return select(read_columns(path, metrics), suite, tasks, path)


def whole_records(records: Iterable[Record], columns: Columns) -> list[Record]:
    """Those of some records of which there are columns."""
    wanted = {(shared.task, shared.recipe) for shared in columns.shared}
    return [record for record in records if (record.task, record.recipe) in wanted]


def show_boards(
    boards: Sequence[Leaderboard],
    legend: bool,
    quiet: bool = False,
    below: int = 0,
    again: str = "fsbench leaderboard",
) -> None:
    """Print leaderboards to stdout, one below the other, or only their recommendations.

    On a terminal, the last screen holds the answer; `below` and `again` are as in `print_boards`.
    """
    from fsbench.report.last_screen import print_boards
    from fsbench.report.terminal import print_board, print_recommendation

    if sys.stdout.isatty() and not quiet:
        print_boards(boards, console(), legend, below, again)
        return
    for number, board in enumerate(boards):
        if number:
            click.echo()
        if quiet:
            print_recommendation(board, console())
        else:
            print_board(board, console(), legend)


def again(results: Path) -> str:
    """The command that prints the leaderboard of a results folder."""
    return f"fsbench leaderboard{results_given(results)}"


def results_given(results: Path) -> str:
    """The option by which a command is about a results folder, with a space before it; "" for the default."""
    return "" if results == Path(DEFAULT_RESULTS) else f" --results {shlex.quote(str(results))}"


def select(records: Columns, suite: str | None, tasks: str | None, path: Path) -> Columns:
    """The records of a suite's tasks under its recipe, or of the tasks given.

    Raises UsageError if there are none, StoreError if one is of another split than the suite's.
    """
    if suite is None and tasks is None:
        return records
    if suite is not None and tasks is not None:
        raise UsageError("both a suite and tasks are given; give one of them")
    chosen = load_suite(suite) if suite is not None else None
    wanted = set(task_texts(str(tasks)) if chosen is None else chosen.tasks)
    found = records.select([shared.task in wanted for shared in records.shared])
    if chosen is None and 0 < len(found) < len(records):
        say(
            "verdicts are corrected for the comparisons on these tasks only; they hold if you chose the "
            "tasks before you saw results"
        )
    if chosen is not None:
        found = _under_recipe(found, chosen)
        check_records(found, chosen, path)
        if lacking := len(chosen.tasks) - len({shared.task for shared in found.shared}):
            say(f"{lacking} of {chosen.name}'s {len(chosen.tasks)} tasks have no results here")
    if not len(found):
        option = f"--suite {suite}" if suite is not None else f'--tasks "{tasks}"'
        option += "" if path.is_file() else results_given(path)
        raise UsageError(f"{path} contains no results of these tasks; {_instead(wanted, records, option)}")
    return found


def _instead(wanted: Collection[str], records: Columns, option: str) -> str:
    """What to do where tasks have no results: run them, or name others if their data is unknown."""
    known = sorted({shared.task for shared in records.shared})
    if longer := [task for task in known if any(task.startswith(f"{each[:-1]}, ") for each in wanted)]:
        return f"it has those of {some(longer)}; name that in full, or run yours with `fsbench run {option}`"
    if all(name in DATASETS for task in wanted for name in named_datasets(task)):
        return f"`fsbench run {option}` produces some"
    near = difflib.get_close_matches(min(wanted), known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"it has those of {', '.join(known)}"


def _under_recipe(records: Columns, suite: Suite) -> Columns:
    """The records under the recipe that the suite gives their task; reports how many are left out."""
    wanted = {
        task: tuple(_recipes(task, suite.recipe)) for task in {shared.task for shared in records.shared}
    }
    recipes = {text: parse_recipe(text) for text in {shared.recipe for shared in records.shared}}
    kept = records.select([recipes[shared.recipe] in wanted[shared.task] for shared in records.shared])
    if left_out := len(records) - len(kept):
        say(f"left out {plural(left_out, 'record')} of {suite.name}'s tasks: not under the suite's recipe")
    return kept


def _recipes(task: str, of_suite: str | Mapping[str, str]) -> Iterator[Recipe]:
    """The recipe of a suite's task; if its data is not on this machine, those of every kind of samples."""
    try:
        infos = [parsed.info for parsed in parse_tasks(task)]
    except AbsentData:
        (call,) = task_calls(task)
        infos = [TaskInfo(task, call.name, kind, (), 0) for kind in kind_names()]
    for info in infos:
        yield task_recipe(info, of_suite)
