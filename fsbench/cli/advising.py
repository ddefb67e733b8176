"""`fsbench advise`: what to use on the user's own data, within a time."""

from __future__ import annotations

import shlex
import sys
import textwrap
from pathlib import Path
from typing import Any

import click

from fsbench.cli.ending import interrupted, warn_of_failures
from fsbench.cli.options import PATH, metric_option
from fsbench.cli.output import say
from fsbench.cli.own_data import own_data_options, take_own_data
from fsbench.cli.settling import read_duration
from fsbench.errors import UsageError
from fsbench.progress import make_observer
from fsbench.registry import get_registry
from fsbench.words import printable, roughly

_WIDTH = 80


@click.command(short_help="Find what to use on your own data; fit it.")
@own_data_options(domains=False)
@click.option(
    "--budget",
    callback=read_duration,
    default="10m",
    show_default=True,
    metavar="TIME",
    help="The time for everything: 90s, 10m, 1h30m.",
)
@click.option(
    "--plugins",
    default="all",
    show_default=True,
    metavar="GROUP|SPECS",
    help="The strategies to choose among, as for `fsbench run`; sums of two good ones are tried too.",
)
@metric_option
@click.option(
    "--output",
    type=PATH,
    default="advice",
    show_default=True,
    metavar="FOLDER",
    help="Where the results, the report and the model go; a second call continues there.",
)
@click.option("--model/--no-model", default=True, help="Whether to fit the chosen strategy on all labels.")
@click.option("-q", "--quiet", is_flag=True, help="Print only the advice.")
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", help="Worker processes.  [default: one per core]"
)
@click.option(
    "--device", default="auto", show_default=True, metavar="DEVICE", help="auto, cpu, cuda or cuda:N."
)
def advise(budget: float, output: Path, quiet: bool, **options: Any) -> int:
    """Say what to use on your own data, how good that is, and fit it.

    Compares the installed strategies and promising sums of two by successive halving within the budget, and
    measures by nested splits how good such a choice is.
    """
    data = take_own_data(options)
    if data is None:
        raise UsageError("advice is about your own data; give --data PATH")
    warn_of_failures(get_registry())
    observer = make_observer(sys.stderr, quiet, metric=options["metric"])

    def tell(line: str) -> None:
        if not quiet:
            say(line)
        observer.doing(line)

    observer.doing("reading your data")
    try:
        from fsbench.advising import advise as find_advice

        found = find_advice(data, budget, output=output, observer=observer, tell=tell, **options)
    except KeyboardInterrupt:
        return interrupted(output)
    finally:
        observer.ended()
    from fsbench.advising.concluding import MODEL
    from fsbench.advising.words import sentences

    for paragraph in sentences(found):
        for line in textwrap.wrap(printable(paragraph), _WIDTH, break_on_hyphens=False):
            click.echo(line)
    say(
        f"took {roughly(found.seconds)}; {found.report} shows the scores on the splits that the choice was "
        "made on, which are too good for the winner"
    )
    if found.model is not None:
        say(f"the model is {found.model}; `fsbench predict {shlex.quote(str(found.model))} INPUTS` uses it")
    elif found.no_model:
        say(f"no model: {found.no_model}")
    if found.model is None and (output / MODEL).exists():
        say(f"{output / MODEL} is of an earlier call, which may have chosen another strategy")
    return 0
