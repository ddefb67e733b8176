"""`fsbench plugin`: write a new plugin, or check an installed one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fsbench.cli.output import debugging, say
from fsbench.cli.suggest import SuggestingGroup
from fsbench.errors import PluginError, UnknownName
from fsbench.registry import SORTS, Registry, get_registry
from fsbench.scaffold import KINDS, command, new_plugin
from fsbench.spec import parse

if TYPE_CHECKING:
    from fsbench.testing.checks import Thing


@click.group(cls=SuggestingGroup, no_args_is_help=False)
def plugin() -> None:
    """Write a new plugin, or check an installed one."""


@plugin.command(short_help="Write a package with a plugin, and a test for it.")
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    default="strategy",
    show_default=True,
    metavar="KIND",
    help=f"What it contains: {', '.join(KINDS)}.",
)
def new(name: str, kind: str) -> None:
    """Write a package with a plugin NAME, and a test for it, into the folder fsbench-NAME.

    The test passes once you have replaced every TODO in the files.
    """

    folder = new_plugin(name, Path(), kind)
    click.echo(f"wrote {folder}; replace every TODO in it, then:\n")
    click.echo(f"    pip install -e './{folder}[test]'")
    click.echo(f"    pytest {folder}")
    click.echo(f"    {command(name, kind)}")


@plugin.command(short_help="Run the conformance kit on the contents of a plugin.")
@click.argument("name")
def check(name: str) -> int:
    """Run the conformance kit on NAME.

    NAME is a strategy or its spec, a kind, a dataset, a protocol, a backbone, a metric, a suite (by name or
    file), or the distribution or module of a plugin, to check everything in it. Exit status 1 if a check
    failed.
    """
    failures = [each for title, thing in _things(get_registry(), name) for each in _check(title, thing)]
    if not failures:
        return 0
    if debugging():
        for reason, trace in dict(failures).items():
            click.echo(f"\n{reason}\n{trace.rstrip()}", err=True)
    else:
        say(f"`fsbench --debug plugin check {name}` shows the tracebacks")
    return 1


def _check(title: str, thing: Thing) -> list[tuple[str, str]]:
    """Check one thing and print the results; returns the reasons of failures, each with its traceback."""
    from fsbench.testing import conformance

    failures: dict[str, tuple[str, str]] = {}
    checks = conformance(thing)
    click.echo(title)
    for each in checks:
        with _shown(each.name):
            result = each.result()
        colour = {"ok": "green", "failed": "red", "skipped": "yellow"}[result.status]
        reason = result.reason
        if result.status == "failed":
            known = [name for said, (name, _) in failures.items() if f": {said}".endswith(f": {reason}")]
            if known:
                reason = f"for the same reason as {known[0]!r}"
            else:
                failures[reason] = result.name, result.traceback
        click.echo("  " + click.style(f"{result.status:<8}", colour), nl=False)
        click.echo(result.name + (f": {reason}" if reason else ""))
    return [(reason, trace) for reason, (_, trace) in failures.items()]


@contextmanager
def _shown(name: str) -> Iterator[None]:
    """Inside, a terminal shows the name of the check that runs, which may take long or never end."""
    if not sys.stderr.isatty():
        yield
        return
    line = f"  running {name}"
    click.echo(line, nl=False, err=True)
    try:
        yield
    finally:
        click.echo(f"\r{' ' * len(line)}\r", nl=False, err=True)


def _things(registry: Registry, name: str) -> list[tuple[str, Thing]]:
    """The things that NAME means, each with a title.

    Raises UnknownName, or PluginError for a plugin that could not be loaded.
    """
    for failure in registry.failures:
        if name in failure.plugin.split(":"):
            raise PluginError(failure.said)
    if name.endswith(".toml"):
        return [(name, Path(name))]
    known = [(sort.noun, *each) for sort in SORTS for each in sorted(registry.brought[sort.hook].items())]
    found = [(f"{noun} {each}", brought.thing) for noun, each, brought in known if each == name]
    found = found or [
        (f"{sort.noun} {each}", brought.thing) for sort, each, brought in registry.brought_by(name)
    ]
    if not found and parse(name).terms[0].name not in registry.strategies:
        for failure in registry.failures:
            say(f"warning: {failure.said}")
        every = [each for _, each, _ in known] + [brought.origin.distribution for *_, brought in known]
        raise UnknownName(
            "strategy, kind, dataset, protocol, backbone, metric, suite or plugin",
            name,
            set(every),
            listed=True,
        )
    return found or [(name, name)]
