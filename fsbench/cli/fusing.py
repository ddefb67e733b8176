"""`fsbench fuse`: what several strategies would have reached together, without training anything."""

from __future__ import annotations

from pathlib import Path

import click

from fsbench.cli.boards import show_boards
from fsbench.cli.options import legend_option, margin_option, metric_option, results_option
from fsbench.cli.output import say, working
from fsbench.errors import UsageError


@click.command(short_help="Combine the stored results of strategies.")
@click.argument("of", metavar="STRATEGIES")
@click.option(
    "--how",
    type=click.Choice(["average", "select", "vote"]),
    default="average",
    show_default=True,
    help="average: weights that make the validation labels likeliest; select: the strategy that is best on "
    "them; vote: equal weights.",
)
@metric_option
@margin_option
@results_option("FOLDER", "The folder of the results.")
@legend_option
def fuse(of: str, how: str, metric: str, margin: float | None, results: Path, legend: bool) -> None:
    """Fuse stored results of several strategies, such as "transfer, svm", and compare.

    Their probabilities on each split are averaged, with weights that only the split's validation part
    decides; its test labels only judge. Nothing is trained and nothing is stored.
    """
    from fsbench.report.budgets import leaderboards
    from fsbench.report.fused import fuse as fused

    if results.is_file():
        raise UsageError(
            f"{results} is a published file, which has no predictions for validation parts; give the results "
            "folder that it was made from"
        )
    with working("fusing"):
        columns, left_out = fused(results, of, how, [metric])
        boards = leaderboards(columns, metric, True, None, margin)
    for line in left_out:
        say(line)
    show_boards(boards, legend)
