"""`fsbench run --until-settled`: split seeds where nothing is settled, within a budget of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fsbench.cli.ending import interrupted, report_end
from fsbench.cli.output import say
from fsbench.errors import UsageError
from fsbench.looks import Look
from fsbench.results import Results, load
from fsbench.words import plural

if TYPE_CHECKING:
    from fsbench.until_settled import Settled

_Command = TypeVar("_Command", bound=Callable[..., Any])


def settling_options(command: _Command) -> _Command:
    """The options `--until-settled` and `--budget`."""
    command = click.option(
        "--budget", callback=read_duration, metavar="TIME", help="The time for --until-settled: 20m, 1h30m."
    )(command)
    return click.option(
        "--until-settled",
        is_flag=True,
        help="Add split seeds, look by look, where verdicts are still open; --seeds is the number at the "
        "first look.",
    )(command)


def read_duration(ctx: click.Context, param: click.Parameter, text: str | None) -> float | None:
    """A time such as `90s`, `20m` or `1h30m`, in seconds (a click callback). Raises UsageError."""
    from fsbench.deadline import in_seconds

    try:
        return None if text is None else in_seconds(text)
    except UsageError as error:
        raise UsageError(f"{param.opts[0]} {error}") from None


def take_budget(options: dict[str, Any]) -> float | None:
    """Remove both options; the budget in seconds if a run until settled is asked for, otherwise None.

    Raises UsageError for one option without the other, or together with a list of seeds.
    """
    wanted, budget = options.pop("until_settled"), options.pop("budget")
    if wanted != (budget is not None):
        raise UsageError("--until-settled and --budget belong together; give both, such as --budget 20m")
    if wanted and isinstance(options["seeds"], tuple):
        raise UsageError("--until-settled starts with a number of split seeds; give --seeds a number")
    found: float | None = budget
    return found


def settle(
    *args: Any,
    budget: float,
    metric: str,
    margin: float | None,
    results: Path,
    legend: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """Run until settled, and print the leaderboard of the results folder; returns the exit status."""
    from fsbench.until_settled import run_until_settled

    found = run_until_settled(
        *args, budget=budget, metric=metric, margin=margin, results=results, tell=_tell, **options
    )
    if found.results is not None and found.results.interrupted and not found.late:
        return interrupted(results)
    stored = load(results)
    begun = _begun(found, stored)
    kept = tuple(record for record in stored.records if record.key not in begun)
    shown = replace(stored, records=kept, total=stored.total - len(begun), baseline=options["baseline"])
    return report_end(shown, metric, margin, results, legend, quiet, list(_spent(found, len(begun))))


def _begun(found: Settled, stored: Results) -> frozenset[str]:
    """The keys of the stored trials of a next look that the budget ended.

    A table with them would have strategies without results on some splits, and so without a rank. The store
    may have one more than the run knows of, which ended as the budget did.
    """
    if not (found.late and found.looks):
        return frozenset()
    most = max(look.seeds for look in found.looks)
    return frozenset(r.key for r in stored.records if r.split_seed >= most and r.status != "skipped")


def _spent(found: Settled, begun: int) -> Iterator[str]:
    """Whether the budget ended the run, what is open, and how many trials of the next look are stored."""
    if found.late:
        rest = _still_open(found.unsettled) if found.looks else "before the first look"
        yield f"the budget is spent, {rest}; run the same command with a new budget to continue"
        if begun:
            yield f"kept, but not in the table: {plural(begun, 'trial')} of the next look"


def _still_open(comparisons: int) -> str:
    return f"{plural(comparisons, 'comparison')} on single tasks still open"


def _tell(look: Look, unsettled: int) -> None:
    say(f"look {look.number}, at {look.seeds} split seeds: {_still_open(unsettled)}")
