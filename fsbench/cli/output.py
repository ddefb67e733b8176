"""Where words go: results to stdout, everything else to stderr."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from fsbench.types import Record


def say(message: str) -> None:
    """One line on stderr."""
    print("fsbench: " + " ".join(message.split()), file=sys.stderr, flush=True)


def debugging() -> bool:
    """Whether `--debug` is in the command line."""
    context = click.get_current_context(silent=True)
    return context is not None and context.obj is True


def show_tracebacks(records: Sequence[Record]) -> None:
    """The traceback of the latest failed trial of each strategy, on stderr."""
    failed = sorted((r for r in records if r.status == "failed"), key=lambda r: (r.created, r.split_seed))
    for spec, record in {record.spec: record for record in failed}.items():
        where = f"{spec} on {record.task}, split seed {record.split_seed}, seed {record.init_seed}"
        trace = (record.reason or {}).get("traceback") or "no traceback was recorded"
        print(f"\n{where}:\n{trace.rstrip()}", file=sys.stderr, flush=True)


def show(*renderables: RenderableType) -> None:
    """Rich text and tables on stdout; plain where stdout is not a terminal."""
    out = console()
    for renderable in renderables:
        out.print(renderable)


def console() -> Console:
    """A rich console on stdout that leaves a closed pipe to the caller."""
    from rich.console import Console

    class _Piped(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return _Piped(highlight=False, emoji=False)
