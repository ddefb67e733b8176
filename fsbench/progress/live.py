"""The live display of a run on a terminal: what goes on, and how strategies stand so far."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from fsbench.composition import BASELINE
from fsbench.metrics import DEFAULT_METRIC, number
from fsbench.progress.lines import Lines
from fsbench.progress.standing import PROVISIONAL, ends
from fsbench.words import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

_REFRESHES = 4.0
_BAR = 16
_MOST_ROWS = 14
_OTHER_LINES = 7
_TURNS = "|/-\\"


class LiveProgress(Lines):
    """A bar, the time to go and what runs, above the provisional standing; lines scroll by above it.

    It leaves no trace when the run ends.
    """

    def __init__(self, stream: TextIO, metric: str = DEFAULT_METRIC, verbose: bool = False) -> None:
        super().__init__(self._print, metric, verbose)
        self._stream = stream
        self._live: Live | None = None

    def doing(self, what: str) -> None:
        """Show the step."""
        super().doing(what)
        if self._live is None:
            self._start()

    def ended(self) -> None:
        """Remove the display."""
        super().ended()
        if self._live is not None:
            self._live.stop()
            self._live, self.to_do = None, 0

    def _start(self) -> None:
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self._stream, highlight=False, emoji=False)
        self._live = Live(
            console=console,
            get_renderable=lambda: self._display(console),
            refresh_per_second=_REFRESHES,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
            vertical_overflow="crop",
        )
        self._live.start()

    def _print(self, line: str) -> None:
        if self._live is None:
            print(line, file=self._stream, flush=True)
        else:
            from rich.text import Text

            self._live.console.print(Text(line), soft_wrap=True)

    def _display(self, console: Console) -> Text:
        from rich.text import Text

        width = console.width - 1
        lines = [self._head()] if self.to_do else []
        lines += [Text(f"{self._turn()} {self.now}"), *self._standing(console.height, width)]
        for line in lines:
            line.truncate(width, overflow="ellipsis")
        return Text("\n").join(lines)

    def _turn(self) -> str:
        """A character that changes at every refresh, so that a long trial does not look like a halt."""
        return _TURNS[int(time.monotonic() * _REFRESHES) % len(_TURNS)]

    def _head(self) -> Text:
        """The bar and the state in words."""
        from rich.text import Text

        filled = _BAR * self.done // self.to_do
        bar = Text("━" * filled, style="green") + Text("━" * (_BAR - filled), style="dim")
        return bar + Text(f" {self.status}")

    def _standing(self, height: int, width: int) -> Iterator[Text]:
        """The best strategies so far, and the worst ones if there is no room for all."""
        from rich.text import Text

        places, metric = self.standing.places(), self.standing.metric
        room = min(height - _OTHER_LINES, _MOST_ROWS)
        if len(places) < 2 or room < 2:
            return
        yield Text("")
        yield from map(Text, textwrap.wrap(PROVISIONAL.format(metric.title), width))
        kept, left_out = ends(places, room)
        names = [printable(each.strategy) for each in kept]
        longest = max(map(len, names))
        yield Text(f"  {'strategy':{longest}}   score  vs {BASELINE:5}  trials", style="dim")
        for place, name in zip(kept, names, strict=True):
            gain = "-" if place.is_baseline else number(place.gain, metric, sign=True)
            yield Text(f"  {name:{longest}}  {number(place.score, metric):>6}  {gain:>8}  {place.trials:6}")
        if left_out:
            yield Text(f"  and {left_out} between them", style="dim")
