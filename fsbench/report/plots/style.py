"""What all pictures share: colours, which colour-blind readers can tell apart, and text that stays text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fsbench.metrics import Metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe & Ito 2008, "Color universal design"; without their yellow, which is pale on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#7A5195")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
BASELINE_COLOUR = "#222222"
OTHERS = "#BBBBBB"
HELPS, HURTS = "#0072B2", "#D55E00"
_SETTINGS: Any = {
    "font.size": 9,
    "font.family": ["DejaVu Sans"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "legend.frameon": False,
    "text.usetex": False,
    # Text as text, which readers can select and search, and the same bytes each time.
    "svg.fonttype": "none",
    "svg.hashsalt": "fsbench",
    "pdf.fonttype": 42,
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw with the settings above, whatever the user's are."""
    import matplotlib as mpl

    with mpl.rc_context(_SETTINGS):
        yield


def drawn(draw: Callable[[Axes], None], ax: Axes | None, size: tuple[float, float] = (6.4, 4.0)) -> Axes:
    """The axes that were given, or new ones in a figure of a size in inches, with what is drawn on them."""
    with styled():
        if ax is None:
            from matplotlib import pyplot

            _, ax = pyplot.subplots(figsize=size, layout="constrained")
        draw(ax)
    return ax


def unit(metric: Metric, difference: bool = False) -> str:
    """The unit of a metric's values, or of its differences, in brackets behind its title."""
    return "" if not metric.percent else " (points)" if difference else " (%)"


def coloured(names: Sequence[str], baseline: str) -> dict[str, tuple[str, str]]:
    """A colour and a marker for the baseline and the first few other names; the rest share a pale one."""
    others = [name for name in names if name != baseline]
    found = {baseline: (BASELINE_COLOUR, "o")}
    for place, name in enumerate(others):
        found[name] = (COLOURS[place], MARKERS[place]) if place < len(COLOURS) else (OTHERS, ".")
    return found
