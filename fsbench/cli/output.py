"""Where words go: results to stdout, everything else to stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


def say(message: str) -> None:
    """One line on stderr."""
    print("fsbench: " + " ".join(message.split()), file=sys.stderr, flush=True)


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
