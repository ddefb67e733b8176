"""`fsbench run`: the main job."""

from __future__ import annotations

import sys
from typing import Any

import click

from fsbench.cli.ending import report_end, warn_of_failures
from fsbench.cli.options import (
    PATH,
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
from fsbench.cli.own_data import own_data_options, take_own_data
from fsbench.cli.settling import settle, settling_options, take_budget
from fsbench.cli.suggest import OptionsCommand
from fsbench.errors import UsageError
from fsbench.families import CORE
from fsbench.progress import make_observer
from fsbench.recipes.recipe import parse_overrides
from fsbench.registry import get_registry
from fsbench.request import DEFAULT_SUITE, DEFAULT_TIMEOUT
from fsbench.runner import run as run_trials
from fsbench.tuning.criteria import CRITERIA
from fsbench.tuning.samplers import SAMPLERS


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
    help="Split seeds: how many, or which (0,4,7; only one: 4,).  [default: the suite's; 3 with --tasks; "
    "with --data, 10 if the run is short, otherwise 5]",
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
@click.option(
    "-q", "--quiet", is_flag=True, help="Print only the answer in words, warnings, and what failed."
)
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
    type=PATH,
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
    return report_end(results, metric, margin, options["results"], legend, quiet)
