"""Puts the page together: sections, styles, scripts, and a policy that lets nothing else run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fsbench.columns import Columns
from fsbench.metrics import DEFAULT_METRIC
from fsbench.report import text
from fsbench.report.budgets import leaderboards
from fsbench.report.html import cards, citing, specs, templating
from fsbench.report.html.answer import answers
from fsbench.report.html.heatmap import heat_maps
from fsbench.report.html.tables import tables
from fsbench.report.html.trials import trials
from fsbench.report.leaderboard import DEFAULT_MARGIN, Leaderboard

_STYLES = ("base.css", "answer.css", "tables.css", "charts.css")
_SCRIPTS = ("theme.js", "tables.js", "charts.js")


@dataclass(frozen=True)
class Section:
    """A section: where links lead to, its title, its template, and what the template shows."""

    id: str
    title: str
    template: str
    content: Any


def to_html(
    columns: Columns,
    metric: str = DEFAULT_METRIC,
    all_versions: bool = False,
    baseline: str | None = None,
    margin: float = DEFAULT_MARGIN,
    title: str = "Which strategy helps on little data",
) -> str:
    """The report about some records as one HTML file that needs no network.

    Columns must have the values of `metric`, which the page is about; a reader can have the tables by every
    other metric that they have. The other arguments and the errors are those of `leaderboards`.
    """
    names = [
        metric,
        *(n for n, values in columns.values.items() if n != metric and np.isfinite(values).any()),
    ]
    by_metric = {name: leaderboards(columns, name, all_versions, baseline, margin) for name in names}
    found = [
        {name: boards[number] for name, boards in by_metric.items()}
        for number in range(len(by_metric[metric]))
    ]
    sections = _sections(found, columns) if len(columns) else _empty(found)
    subtitle = text.title(found[0][metric])
    return templating.page(title, f"{subtitle[:1].upper()}{subtitle[1:]}.", sections, _STYLES, _SCRIPTS)


def _sections(found: Sequence[Mapping[str, Leaderboard]], columns: Columns) -> list[Section]:
    boards = [next(iter(by_metric.values())) for by_metric in found]
    made = [
        Section("answer", "What to do on this data", "answer.html", answers(boards)),
        Section("leaderboard", "Leaderboard", "leaderboard.html", tables(found)),
        *_charts(boards, "curves", "Learning curves"),
        Section("gains", "Gains by task", "heatmap.html", heat_maps(boards)),
        *_charts(boards, "ranks", "Critical difference"),
        *_charts(boards, "costs", "Gain against cost"),
        *_charts(boards, "predictions", "Calibration and errors by class"),
        *_charts(boards, "fits", "Training against test accuracy"),
        *_charts(boards, "transfer", "Negative transfer and forgetting"),
        Section("trials", "Skipped, failed, and notes", "trials.html", trials(boards, columns)),
        Section("cards", "Tasks, data, recipes", "cards.html", cards.cards(boards)),
        Section("provenance", "Where the results come from", "cards.html", cards.provenance(columns, boards)),
        Section("cite", "How to cite", "citations.html", citing.citations(columns)),
    ]
    return [section for section in made if section.content]


def _charts(boards: Sequence[Leaderboard], name: str, title: str) -> list[Section]:
    return [Section(name, title, "charts.html", specs.charts(name, boards))]


def _empty(found: Sequence[Mapping[str, Leaderboard]]) -> list[Section]:
    boards = [next(iter(by_metric.values())) for by_metric in found]
    return [Section("answer", "What to do on this data", "answer.html", answers(boards))]
