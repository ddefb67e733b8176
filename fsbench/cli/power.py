"""`fsbench power`: how many more split seeds would settle what is open."""

from __future__ import annotations

from pathlib import Path

import click

from fsbench.cli.boards import read_selected
from fsbench.cli.options import margin_option, metric_option, results_option, suite_option, tasks_option
from fsbench.cli.output import show, table
from fsbench.metrics import get_metric


@click.command(short_help="Say how many more seeds would settle what.")
@results_option("PATH", "A results folder, or a published .jsonl file.")
@suite_option
@tasks_option
@metric_option
@margin_option
def power(results: Path, suite: str | None, tasks: str | None, metric: str, margin: float | None) -> None:
    """Say how many more split seeds would settle each open comparison with erm.

    A number is promised only where the stored variances allow it: with a probability of 80 %, if the true
    difference is as large as it seems now.
    """
    from rich.text import Text

    from fsbench.report.power import looked_board, needs, said
    from fsbench.report.text import EMPTY, interval

    chosen = get_metric(metric)
    columns = read_selected(results, [metric], suite, tasks)
    tuned = sum(bool(shared.tuning) for shared in columns.shared)
    columns = columns.select([not shared.tuning for shared in columns.shared])
    board = looked_board(columns, metric, margin)
    found = needs(board)
    by_task: dict[str, list[tuple[object, ...]]] = {}
    for need in found:
        to_settle = f"{need.more} more" if need.more is not None else need.reason
        row = need.strategy, interval(need.difference, chosen, sign=True), need.difference.n, to_settle
        by_task.setdefault(need.task, []).append(row)
    for task, rows in by_task.items():
        show(Text(task, style="bold"))
        show(table(("strategy", "vs erm", "seeds", "to settle it"), rows, right=("seeds",)), Text())
    if len(columns):
        show(*map(Text, said(found, board, bool(columns.evidence.looks))))
    elif not tuned:
        show(Text(EMPTY))
    if tuned:
        show(Text("Tuned results are left out: `fsbench power` is about results without a search."))
