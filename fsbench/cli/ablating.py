"""`fsbench ablate`: what each component of a sum contributes, and how the components interact."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from fsbench.cli.ending import failure_hints, interrupted, warn_of_failures
from fsbench.cli.output import debugging, say, show_tracebacks
from fsbench.cli.own_data import take_own_data
from fsbench.cli.running import run
from fsbench.cli.sheets import TERMINAL, format_option, show_sheet
from fsbench.cli.suggest import OptionsCommand
from fsbench.composition import BASELINE
from fsbench.errors import ConflictError
from fsbench.progress import make_observer
from fsbench.recipes.recipe import parse_overrides
from fsbench.registry import get_registry
from fsbench.runner import run as run_trials
from fsbench.words import plural

if TYPE_CHECKING:
    from fsbench.report.ablation import Ablation

PICTURE = "svg"
# What `fsbench run` has for tables of many strategies.
_NOT_HERE = {"plugins", "until_settled", "budget", "baseline", "legend", "quiet", "verbose"}


@click.command(cls=OptionsCommand, short_help="Say what each component of a sum adds.")
@click.argument("spec", metavar="SUM")
@format_option((TERMINAL, "markdown", "csv", "json", PICTURE), TERMINAL)
def ablate(
    spec: str, style: str, recipe: str, metric: str, margin: float | None, strict: bool, **options: Any
) -> int:
    """Run all sums of the components of SUM (a+b+c), and say what each contributes.

    Shows the Shapley value of each component and the interaction of each pair, with intervals.
    Trials that are stored already are not run again. Exit status 1 if some trials failed.
    """
    from fsbench.report.ablation import ablation
    from fsbench.report.budgets import leaderboards
    from fsbench.report.factorial import factorial

    registry, changes = get_registry(), parse_overrides(recipe)
    if not strict:
        warn_of_failures(registry)
    found = factorial(spec, registry)
    if found.conflicts:
        reason = found.conflicts[min(found.conflicts, key=len)]
        raise ConflictError(f"{reason}; the contributions of what cannot run together cannot be told apart")
    if (data := take_own_data(options)) is not None:
        options["data"] = data
    results = run_trials(
        ", ".join(found.specs.values()),
        recipe=changes,
        strict=strict,
        baseline=BASELINE,
        observer=make_observer(sys.stderr, False),
        **options,
    )
    if results.interrupted:
        kept = f"{results.done} of {plural(results.total, 'trial')}"
        return interrupted(results.store_path.parent, kept)
    board, *_ = leaderboards(results.columns(metric), metric, margin=margin)
    _show(ablation(board, found), style)
    if results.failures and debugging():
        show_tracebacks(results.failures)
    for line in failure_hints(results):
        say(line)
    return int(bool(results.failures))


ablate.params += [option for option in run.params if option.name not in _NOT_HERE]


def _show(found: Ablation, style: str) -> None:
    """Print the ablation, or its picture."""
    from fsbench.report.ablation_sheet import sheet_of

    if style == PICTURE:
        from fsbench.report.plots.ablation import picture

        click.echo(picture(found).save("svg").decode(), nl=False)
    else:
        show_sheet(sheet_of(found), style)
