"""Output: results to stdout, everything else to stderr."""

from __future__ import annotations

import contextlib
import gc
import math
import shutil
import sys
import textwrap
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import click

from fsbench.progress import Observer, is_live, make_observer
from fsbench.record import Record
from fsbench.sorts import HOUSE, Origin
from fsbench.words import printable, visible

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

_GAP = 2
_WIDTH = 80
_MOST_LINES = 2


def say(message: str) -> None:
    """Print one line on stderr; on a terminal, several that break between words."""
    print("\n".join(_lines(message)), file=sys.stderr, flush=True)


def _lines(message: str) -> list[str]:
    if not sys.stderr.isatty():
        return [_said(message)]
    return textwrap.wrap(_said(message), _width(), break_long_words=False, break_on_hyphens=False)


def _said(message: str) -> str:
    return f"fsbench: {printable(message).strip()}"


def few(messages: Sequence[str], whole: str) -> Sequence[str]:
    """What is said of some messages: on a terminal, the beginnings of the first ones if that is too much.

    `whole` is the file that has all of them.
    """
    if not sys.stderr.isatty() or height(messages) <= _MOST_LINES:
        return messages
    room = _width() - len(_said(""))
    kept = [printable(each) for each in messages[: _MOST_LINES - 1]]
    beginnings = [each if len(each) <= room else f"{each[: room - 1]}…" for each in kept]
    more = f"{len(messages) - len(kept)} more; " if len(messages) > len(kept) else ""
    return [*beginnings, f"{more}full reasons in {whole}"]


def height(messages: Sequence[str]) -> int:
    """How many lines of the terminal some messages take; 0 if they go elsewhere."""
    if not sys.stderr.isatty():
        return 0
    lines = [line for each in messages for line in _lines(each)]
    return sum(math.ceil(len(line) / _width()) for line in lines)


def _width() -> int:
    return shutil.get_terminal_size().columns


def debugging() -> bool:
    """Whether `--debug` is in the command line."""
    context = click.get_current_context(silent=True)
    return context is not None and context.obj is True


def show_tracebacks(records: Sequence[Record]) -> None:
    """Print the traceback of the latest failed trial of each strategy on stderr."""
    failed = sorted((r for r in records if r.status == "failed"), key=lambda r: (r.created, r.split_seed))
    for spec, record in {record.spec: record for record in failed}.items():
        where = f"{spec} on {record.task}, split seed {record.split_seed}, init seed {record.init_seed}"
        trace = (record.reason or {}).get("traceback") or "no traceback was recorded"
        print(visible(f"\n{where}:\n{trace.rstrip()}"), file=sys.stderr, flush=True)


@contextlib.contextmanager
def working(what: str, plainly: bool = False) -> Iterator[Observer]:
    """Inside, show on stderr what goes on: live on a terminal; elsewhere, with `plainly`, in lines.

    Gives the display, which hears of more.
    """
    display = make_observer(sys.stderr) if plainly or is_live(sys.stderr) else Observer()
    display.doing(what)
    try:
        yield display
    finally:
        display.ended()


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Inside, nothing looks for garbage in cycles.

    What a report makes lives until it is written; to look at it again and again takes an eighth of the time.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def show(*renderables: RenderableType) -> None:
    """Print rich text and tables on stdout; plain if stdout is not a terminal."""
    out = console()
    for renderable in renderables:
        out.print(renderable)


def console() -> Console:
    """A rich console on stdout; a closed pipe is an exception for the caller.

    Control characters in texts, which may be a stranger's, are shown as `\\x1b` and the like.
    """
    from rich.console import Console, ConsoleOptions
    from rich.segment import Segment

    class _Safe(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

        def render(
            self, renderable: RenderableType, options: ConsoleOptions | None = None
        ) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                plain = segment.control or segment.text.isprintable() or segment.text == "\n"
                yield segment if plain else segment._replace(text=_shown(segment.text))

    found = _Safe(highlight=False, emoji=False)
    if found.width < 1:  # COLUMNS=0, with which nothing would be shown
        found.width = _WIDTH
    return found


def _shown(text: str) -> str:
    """The lines of a text, each printable; spaces at their ends stay."""
    return "\n".join(map(printable, text.split("\n")))


def joined_facts(facts: Iterable[str]) -> str:
    """Facts in one line; empty ones are left out."""
    return "; ".join(filter(None, facts))


def said_origin(origin: Origin | None) -> str:
    """The plugin that a thing comes from, "" for fsbench itself."""
    if origin is None or origin.distribution == HOUSE:
        return ""
    return f"from {origin.distribution} {origin.version}"


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], right: Container[str] = ()
) -> RenderableType:
    """A table as wide as the terminal; an additional value of a row is a dim line in its last column.

    Columns named in `right` are aligned right. If the words of the last column do not fit, each row is a
    paragraph instead.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    entries = [_entries(row, len(columns)) for row in rows]
    if _needed(columns, entries) > console().width:
        return _stacked(columns, entries)
    found = Table(box=box.SIMPLE_HEAD, padding=(0, _GAP, 0, 0), pad_edge=False, show_edge=False)
    for number, name in enumerate(columns):
        last = number == len(columns) - 1
        justify: Literal["left", "right"] = "right" if name in right else "left"
        found.add_column(name, justify=justify, no_wrap=not last, overflow="fold", ratio=1 if last else None)
    for row in entries:
        found.add_row(*(Text("\n").join(parts) for parts in row))
    return found


def _entries(row: Sequence[object], columns: int) -> list[list[Text]]:
    """The lines of each entry of a row."""
    from rich.text import Text

    texts = [[value if isinstance(value, Text) else Text(str(value))] for value in row]
    if len(texts) > columns:
        (beyond,) = texts.pop()
        texts[-1] += [Text(beyond.plain, style="dim")] if beyond else []
    return texts


def _needed(columns: Sequence[str], rows: Sequence[Sequence[Sequence[Text]]]) -> int:
    """The least width of a table with whole entries, and whole words in the last column."""
    texts = [[name, *(line.plain for row in rows for line in row[i])] for i, name in enumerate(columns)]
    whole = [max(len(line) for text in column for line in text.split("\n")) for column in texts[:-1]]
    longest = max(len(word) for text in texts[-1] for word in text.split())
    return sum(whole) + (_GAP + 1) * len(whole) + longest


def _stacked(columns: Sequence[str], rows: Sequence[Sequence[Sequence[Text]]]) -> RenderableType:
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    lines: list[RenderableType] = []
    for (name,), *others, last in rows:
        lines.append(Text(name.plain, style="bold"))
        lines += [
            Padding(Text(f"{heading}: {entry[0].plain}"), (0, 0, 0, 4))
            for heading, entry in zip(columns[1:], others, strict=False)
        ]
        lines += [Padding(line, (0, 0, 0, 4)) for line in last]
    return Group(*lines)
