"""The top of the page: what to do on this data, in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fsbench.report import text
from fsbench.report.choice import recommended
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.recommendation import by_topic, from_sources
from fsbench.report.rows import Row

SOURCES = "Negative transfer and forgetting"
"""The title of the section with the gains by source."""
_TITLES = {
    "chance": "Whether anything was learnt",
    "fit": "Whether the recipe trains enough",
    "helps": "What helps",
    "hurts": "What hurts",
    "baselines": "Against the baselines",
    "sources": "What a source brings",
    "equivalent": "What makes no difference",
    "open": "What is open, and what would settle it",
}


@dataclass(frozen=True)
class Fact:
    """A number in large type: what it is, its text, and a note."""

    term: str
    value: str
    note: str


@dataclass(frozen=True)
class Answer:
    """The recommendation of a leaderboard: the first sentence, the others, key numbers, and topics."""

    title: str
    headline: str
    lines: tuple[str, ...]
    facts: tuple[Fact, ...]
    topics: tuple[tuple[str, list[str]], ...]


def answers(boards: Sequence[Leaderboard]) -> list[Answer]:
    """The recommendation of each leaderboard."""
    return [_answer(board, len(boards) > 1) for board in boards]


def _answer(board: Leaderboard, titled: bool) -> Answer:
    topics = by_topic(board)
    if "sources" in topics:
        topics["sources"] = list(from_sources(board, f'The section "{SOURCES}" below'))
    first, *others = topics.pop("use")
    title = "After equal tuning" if board.tuned else "With the default settings"
    best = recommended(board)
    return Answer(
        title=title if titled else "",
        headline=first,
        lines=tuple(others),
        facts=tuple(_facts(board, best)) if best else (),
        topics=tuple((_TITLES.get(topic, topic), lines) for topic, lines in topics.items()),
    )


def _facts(board: Leaderboard, best: Row) -> Iterator[Fact]:
    if best.score:
        yield Fact("Score", text.score(best, board.metric), f"{board.metric.title}, 95 % interval")
    if best.difference:
        yield Fact(f"Against {board.baseline}", text.difference(best, board.metric), text.verdict(best))
    if best.cost is not None and best.seconds is not None:
        cost = text.shown(best, board.metric)["cost"]
        yield Fact("Cost", cost, f"the time of {board.baseline}; {text.seconds(best.seconds)} s a trial")
    rows = [row for _, several in board.tasks for row in several if row.p is not None]
    if rows:
        settled = sum(row.verdict != "not settled" for row in rows)
        yield Fact("Settled", f"{settled} of {len(rows)}", "comparisons with " + board.baseline)
