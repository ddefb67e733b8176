"""A row of reference results: what was published, what was measured, the band, the verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fsbench.stats import Sample, estimate


@dataclass(frozen=True)
class Band:
    """The range expected of a faithful implementation: `low` to `high`, inclusive; None means no bound."""

    low: float | None = None
    high: float | None = None

    def holds(self, value: float) -> bool:
        """Whether a value is inside."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        if self.low is None:
            return "-" if self.high is None else f"≤ {self.high:g}"
        return f"≥ {self.low:g}" if self.high is None else f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Line:
    """One measured number: the values over which the 95 % interval is taken (seeds, episodes, data sets).

    If `band` is None, the number is shown without a verdict. If `digits` is None, it is shown in scientific
    notation, for numbers near zero: 3.3e-16.
    """

    what: str
    published: str
    values: Sequence[float]
    over: str
    band: Band | None = None
    digits: int | None = 1

    @property
    def mean(self) -> float:
        """The mean of the values."""
        return estimate(Sample(tuple(self.values))).mean

    @property
    def verdict(self) -> str:
        """Whether the mean, as printed, is inside the band."""
        if self.band is None:
            return "-"
        return "inside" if self.band.holds(float(self._text(self.mean))) else "OUTSIDE"

    def _text(self, value: float) -> str:
        return f"{value:.1e}" if self.digits is None else f"{value:.{self.digits}f}"

    def cells(self) -> list[str]:
        """The cells of the printed table."""
        found = estimate(Sample(tuple(self.values)))
        width = "" if found.half_width is None else f" ± {self._text(found.half_width)}"
        measured = f"{self._text(found.mean)}{width}"
        band = "-" if self.band is None else str(self.band)
        number = len(self.values)
        over = f"{number} {self.over if number > 1 else self.over.removesuffix('s')}"
        return [self.what, self.published, measured, over, band, self.verdict]


@dataclass(frozen=True)
class Options:
    """How a row is run: `short` for its short version, and arguments of `fsbench.run`."""

    results: Path
    short: bool = False
    jobs: int | None = None
    device: str = "auto"
    only: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a row measured. `notes` contains differences from the publication and findings.

    `seconds` is the time of its trials, whether this command ran them or found them in the results folder.
    """

    lines: Sequence[Line]
    device: str
    seconds: float
    notes: Sequence[str] = field(default=())


@dataclass(frozen=True)
class Row:
    """A row of the table of reference results. `parts` contains the values of `--only`, if any."""

    name: str
    title: str
    protocol: str
    measure: Callable[[Options], Outcome]
    short: str = ""
    parts: tuple[str, ...] = ()


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, ["---"] * len(header), *rows])


def render(row: Row, outcome: Outcome, command: str, when: str) -> str:
    """The text of a row as printed."""
    header = ["what", "published", "measured", "over", "band", "verdict"]
    short = f" Short version: {row.short}." if "--short" in command else ""
    notes = "".join(f"- {note}\n" for note in outcome.notes)
    return (
        f"## {row.name}: {row.title}\n\n"
        f"{row.protocol}{short}\n\n"
        f"{table(header, [line.cells() for line in outcome.lines])}\n\n"
        f"{notes}"
        f"- `{command}`: {outcome.seconds:.0f} s of trials on {outcome.device}, {when}\n"
    )
