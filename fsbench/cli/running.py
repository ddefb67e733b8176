"""`fsbench run`: the main job."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fsbench.cli.boards import again, show_boards
from fsbench.cli.options import (
    baseline_option,
    complete_suite,
    data_dir_option,
    legend_option,
    load_config,
    margin_option,
    metric_option,
    read_seeds,
    results_option,
)
from fsbench.cli.output import debugging, few, height, say, show_tracebacks, working
from fsbench.cli.own_data import own_data_options, take_own_data
from fsbench.cli.settling import settle, settling_options, take_budget
from fsbench.cli.suggest import OptionsCommand
from fsbench.errors import UsageError
from fsbench.families import CORE
from fsbench.progress import make_observer
from fsbench.progress.log import FILE_NAME as LOG
from fsbench.recipes.recipe import parse_overrides
from fsbench.record import Record
from fsbench.registry import Registry, get_registry
from fsbench.request import DEFAULT_SUITE, DEFAULT_TIMEOUT
from fsbench.results import Results
from fsbench.runner import run as run_trials
from fsbench.tuning.criteria import CRITERIA
from fsbench.tuning.samplers import SAMPLERS
from fsbench.words import names_package, plural

if TYPE_CHECKING:
    from fsbench.report.leaderboard import Leaderboard

INTERRUPTED = 130


@click.command(cls=OptionsCommand, short_help="Run strategies on tasks; print what to use.")
@click.option(
    "--plugins",
    default=CORE,
    show_default=True,
    metavar="GROUP|SPECS",
    help="Strategies, separated by commas: focal, transfer+focal(gamma=1), tuned(focal); or a group, each of "
    "them alone: core (a short list), all or a family such as imbalance (`fsbench list families`).",
)
@click.option(
    "--suite",
    metavar="NAME",
    shell_complete=complete_suite,
    help=f"A named list of tasks.  [default: {DEFAULT_SUITE}]",
)
@click.option("--tasks", metavar="TASKS", help="Tasks instead of a suite: kshot(digits, k=[1,5]), ...")
@own_data_options()
@click.option(
    "--seeds",
    callback=read_seeds,
    metavar="N|LIST",
    help="Split seeds: how many, or which (0,4,7).  [default: the suite's; 3 with --tasks; with --data, 10 "
    "if the run is short, otherwise 5]",
)
@settling_options
@click.option(
    "--init-seeds",
    callback=read_seeds,
    metavar="N|LIST",
    default="1",
    show_default=True,
    help="Sets of initial weights for each split: how many, or which (0,4,7).",
)
@click.option(
    "--recipe",
    default="",
    metavar="CHANGES",
    help="Changes to every recipe: steps=100, lr=0.01, precision=bfloat16.",
)
@click.option(
    "--tune",
    type=click.IntRange(min=1),
    metavar="N",
    help="Let each strategy choose among N configurations by cross-validation on its labels.",
)
@click.option(
    "--sampler",
    type=click.Choice(SAMPLERS),
    metavar="|".join(SAMPLERS),
    help="How --tune draws configurations: random (the same recipes for all) or tpe (where earlier scores "
    "were high).  [default: random]",
)
@click.option(
    "--criterion",
    type=click.Choice(list(CRITERIA)),
    metavar="|".join(CRITERIA),
    help="How --tune chooses on shift tasks without labels of the target: infomax, by its unlabelled "
    "inputs.  [default: by validation labels of the source]",
)
@metric_option
@baseline_option
@margin_option
@legend_option
@click.option("-q", "--quiet", is_flag=True, help="Print only the recommendation, and what failed.")
@click.option(
    "-v",
    "--verbose",
    is_flag=True,
    help="Also print each trial as it ends: its score, seconds and notes, or why it failed.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Worker processes.  [default: one per core, up to 4 on a GPU]",
)
@click.option(
    "--device", default="auto", show_default=True, metavar="DEVICE", help="auto, cpu, cuda or cuda:N."
)
@click.option(
    "--timeout",
    type=float,
    metavar="SECONDS",
    help=f"The time limit of a trial.  [default: the suite's, or {DEFAULT_TIMEOUT:.0f}]",
)
@results_option("FOLDER", "The folder of the results; a second run does only what is missing.")
@click.option("--available/--no-available", default=False, help="Leave out tasks whose data is missing.")
@click.option("--retry-failed/--no-retry-failed", default=False, help="Try failed trials again.")
@click.option("--strict/--no-strict", default=False, help="Stop if a plugin cannot be loaded.")
@data_dir_option
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=load_config,
    help="A TOML file of these options; the command line overrides it.",
)
def run(
    plugins: str,
    recipe: str,
    metric: str,
    margin: float | None,
    legend: bool,
    quiet: bool,
    verbose: bool,
    strict: bool,
    **options: Any,
) -> int:
    """Run strategies on tasks and print the leaderboard and, last, what to use.

    Exit status 1 if some trials failed.
    """
    changes = parse_overrides(recipe)
    if not strict:
        warn_of_failures(get_registry())
    if (data := take_own_data(options)) is not None:
        options["data"] = data
    if quiet and verbose:
        raise UsageError("both -q and -v are given; give one of them")
    budget, observer = take_budget(options), make_observer(sys.stderr, quiet, verbose, metric)
    if budget is not None:
        return settle(
            plugins,
            budget=budget,
            metric=metric,
            margin=margin,
            recipe=changes,
            strict=strict,
            observer=observer,
            legend=legend,
            quiet=quiet,
            **options,
        )
    results = run_trials(plugins, recipe=changes, strict=strict, observer=observer, **options)
    return _report(results, metric, margin, options["results"], legend, quiet)


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


def _report(
    results: Results, metric: str, margin: float | None, folder: Path, legend: bool, quiet: bool
) -> int:
    """Print the leaderboard and what failed and why; returns the exit status."""
    from fsbench.report.budgets import leaderboards

    if results.interrupted:
        kept = f"{results.done} of {plural(results.total, 'trial')}"
        say(f"interrupted; {kept} are kept in {folder}, and the same command continues from there")
        return INTERRUPTED
    with working("computing the tables", plainly=not quiet):
        boards = leaderboards(results.columns(metric), metric, baseline=results.baseline, margin=margin)
    if results.failures and debugging():
        show_tracebacks(results.failures)
    unloaded = [failure.said for failure in get_registry().failures] if sys.stderr.isatty() else []
    problems, hints = [*unloaded, *_extras(results), *_failures(boards)], list(_hints(results))
    lines = [*few(problems, str(results.store_path.with_name(LOG))), *hints]
    show_boards(boards, legend, quiet, height(lines), again(folder))
    for line in lines:
        say(line)
    return int(bool(results.failures))


def _failures(boards: Iterable[Leaderboard]) -> list[str]:
    """What failed and why."""
    from fsbench.report.text import problem_lines

    return problem_lines(each for board in boards for each in board.problems if each.kind == "failed")


def _hints(results: Results) -> Iterator[str]:
    """What to do about failed trials, if there are any."""
    if not results.failures:
        return
    if not debugging():
        yield "tracebacks: `fsbench --debug leaderboard`, with the same --results"
    failed = f"{len(results.failures)} of {plural(results.total, 'trial')}"
    late = sum((record.reason or {}).get("kind") == "TimeOut" for record in results.failures)
    more_time = f", with a larger --timeout for the {late} that ran out of time" if late else ""
    yield f"{failed} failed; --retry-failed tries them again{more_time}"
