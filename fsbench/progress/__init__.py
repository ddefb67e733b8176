"""Reports of a running run: what displays and the log hear, and the display for a stream."""

from __future__ import annotations

import os
from typing import TextIO

from fsbench.metrics import DEFAULT_METRIC
from fsbench.progress.lines import PlainProgress, Warnings
from fsbench.progress.live import LiveProgress
from fsbench.progress.observer import Observer

__all__ = [
    "LiveProgress",
    "Observer",
    "PlainProgress",
    "Warnings",
    "default_observer",
    "is_live",
    "make_observer",
]


def make_observer(
    stream: TextIO, quiet: bool = False, verbose: bool = False, metric: str = DEFAULT_METRIC
) -> Observer:
    """A live display if the stream is a terminal that can show one, otherwise plain lines from time to time.

    A `quiet` one prints only warnings; a `verbose` one also prints each trial as it ends. `metric` is that of
    the provisional standing.
    """
    if quiet:
        return Warnings(stream)
    return (LiveProgress if is_live(stream) else PlainProgress)(stream, metric, verbose)


def is_live(stream: TextIO) -> bool:
    """Whether a stream is a terminal on which lines can be drawn again: no pipe, CI or simple terminal."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("CI")
    return stream.isatty() and not plain and os.environ.get("TERM", "") not in ("", "dumb", "unknown")


def default_observer() -> Observer:
    """What `fsbench.run` tells where no observer is given: a display in a notebook, otherwise nobody."""
    from fsbench.progress.notebook import NotebookProgress, in_notebook

    return NotebookProgress() if in_notebook() else Observer()
