"""Puts the page together: sections, styles, scripts, and a policy that lets nothing else run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fsbench.report import text
from fsbench.report.contents import Report
from fsbench.report.html import cards, citing, specs, templating
from fsbench.report.html.answer import SOURCES, answers
from fsbench.report.html.heatmap import heat_maps
from fsbench.report.html.tables import tables
from fsbench.report.html.trials import trials
from fsbench.words import capital

_STYLES = ("base.css", "answer.css", "tables.css", "charts.css")
_SCRIPTS = ("theme.js", "print.js", "tables.js", "charts.js")


@dataclass(frozen=True)
class Section:
    """A section: where links lead to, its title, its template, and what the template shows."""

    id: str
    title: str
    template: str
    content: Any


def files(report: Report, stem: str) -> Iterator[tuple[str, bytes]]:
    """One file: the page."""
    yield f"{stem}.html", to_html(report).encode()


def to_html(report: Report) -> str:
    """The page of a report: one file that needs no network.

    It is about the metric of the report; a reader can have the tables by every other metric.
    """
    board = report.boards[0]
    title = f"Which strategy helps: {report.name}" if report.name else "Which strategy helps on little data"
    sections = _sections(report) if len(report.columns) else [_answer(report)]
    return templating.page(title, f"{capital(text.title(board))}.", sections, _STYLES, _SCRIPTS)


def _answer(report: Report) -> Section:
    return Section("answer", "What to do on this data", "answer.html", answers(report.boards))


def _sections(report: Report) -> list[Section]:
    boards, columns = report.boards, report.columns
    made = [
        _answer(report),
        Section("leaderboard", "Leaderboard", "leaderboard.html", tables(report.by_metric)),
        _charts(report, "curves", "Learning curves"),
        Section("gains", "Gains by task", "heatmap.html", heat_maps(report.charts)),
        _charts(report, "ranks", "Critical difference"),
        _charts(report, "costs", "Gain against cost"),
        _charts(report, "predictions", "Calibration and errors by class"),
        _charts(report, "fits", "Training against test accuracy"),
        _charts(report, "transfer", SOURCES),
        Section("trials", "Skipped, failed, and notes", "trials.html", trials(boards, columns)),
        Section("cards", "Tasks, data, recipes", "cards.html", cards.cards(boards)),
        Section("provenance", "Where the results come from", "cards.html", cards.provenance(columns, boards)),
        Section("cite", "How to cite", "citations.html", citing.citations(columns)),
    ]
    return [section for section in made if section.content]


def _charts(report: Report, name: str, title: str) -> Section:
    return Section(name, title, "charts.html", specs.charts(name, report.charts))
