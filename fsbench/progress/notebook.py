"""Progress in a notebook: one display, drawn again and again without widgets, for any front end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html import escape
from typing import Any

from fsbench.composition import BASELINE
from fsbench.metrics import DEFAULT_METRIC, number
from fsbench.progress.beat import Beat
from fsbench.progress.lines import Lines
from fsbench.progress.standing import PROVISIONAL, ends
from fsbench.words import printable

_SECONDS = 1.0
_MOST_ROWS = 14


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


class NotebookProgress(Lines):
    """A bar, the time to go, what runs and the provisional standing; at the end, what was said and done."""

    def __init__(self, metric: str = DEFAULT_METRIC) -> None:
        self._said: list[str] = []
        super().__init__(self._said.append, metric)
        self._handle: Any = None
        self._beat = Beat(self._draw, _SECONDS)

    def doing(self, what: str) -> None:
        """Show the step."""
        super().doing(what)
        if self._handle is None:
            from IPython.display import display

            self._handle = display(  # type: ignore[no-untyped-call]
                _Html(self._whole()), display_id=True
            )
            self._beat.start()

    def ended(self) -> None:
        """Leave the lines, and what was done."""
        super().ended()
        self._beat.stop()
        if self._handle is not None:
            if self.to_do:
                self._say(self.summary)
            self._handle.update(_Html(_paragraphs(self._said)))
            self._handle = None

    def _draw(self) -> None:
        self._handle.update(_Html(self._whole()))

    def _whole(self) -> str:
        bar = f'<p><progress value="{self.done}" max="{self.to_do}"></progress> {escape(self.status)}</p>'
        state = bar if self.to_do else ""
        return f"{_paragraphs(self._said)}{state}<p>{escape(self.now)}</p>{''.join(self._standing())}"

    def _standing(self) -> Iterator[str]:
        places, metric = self.standing.places(), self.standing.metric
        if len(places) < 2:
            return
        kept, left_out = ends(places, _MOST_ROWS)
        yield f"<p>{escape(PROVISIONAL.format(metric.title))}</p><table>"
        yield _row("th", "strategy", "score", f"vs {BASELINE}", "trials")
        for place in kept:
            gain = "-" if place.is_baseline else number(place.gain, metric, sign=True)
            yield _row("td", place.strategy, number(place.score, metric), gain, str(place.trials))
        yield f"</table>{f'<p>and {left_out} between them</p>' if left_out else ''}"


class _Html:
    """A fragment of HTML for a notebook, and what a front end without HTML shows."""

    def __init__(self, html: str) -> None:
        self._html = html

    def _repr_html_(self) -> str:
        return self._html

    def __repr__(self) -> str:
        return "progress of a run"


def _paragraphs(lines: list[str]) -> str:
    return "".join(f"<p>{escape(line)}</p>" for line in lines)


def _row(tag: str, *values: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(printable(value))}</{tag}>' for value in values)}</tr>"
