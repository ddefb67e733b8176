"""A leaderboard for each search: tuned and default results are never in one ranking."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, replace

from fsbench.columns import Columns, of_records
from fsbench.metrics import DEFAULT_METRIC, get_metric
from fsbench.report.baselines import BEST, Against
from fsbench.report.leaderboard import DEFAULT_MARGIN, Leaderboard, leaderboard
from fsbench.report.looking import with_looks
from fsbench.report.rows import Row
from fsbench.tuning.tuned import Tuning
from fsbench.types import Record


def leaderboards(
    records: Iterable[Record] | Columns,
    metric: str = DEFAULT_METRIC,
    all_versions: bool = False,
    baseline: str | None = None,
    margin: float = DEFAULT_MARGIN,
) -> list[Leaderboard]:
    """The leaderboards of some records: that of the results without tuning first, then by size of the search.

    In a leaderboard of tuned results, strategies are named `tuned(focal)` and are compared with the
    baseline that was tuned alike. Arguments and errors are those of `leaderboard`, of which it makes at least
    one, even without records. Results of `--until-settled` have the verdicts of its looks.
    """
    columns = records if isinstance(records, Columns) else of_records(records, [get_metric(metric).name])
    found = {shared.tuning for shared in columns.shared} or {""}
    searches = sorted(found, key=lambda tuning: astuple(Tuning.read(tuning)) if tuning else (0,))
    parts = [columns.select([shared.tuning == tuning for shared in columns.shared]) for tuning in searches]
    boards = [leaderboard(part, metric, all_versions, baseline, margin) for part in parts]
    looks = columns.evidence.looks
    return [
        _renamed(board, Tuning.read(tuning)) if tuning else with_looks(board, looks)
        for board, tuning in zip(boards, searches, strict=True)
    ]


def _renamed(given: Leaderboard, tuning: Tuning) -> Leaderboard:
    """A leaderboard of results of a search, with the names of tuned strategies."""
    board = replace(given, tuning=tuning)

    def rows(several: Iterable[Row]) -> tuple[Row, ...]:
        return tuple(replace(row, strategy=board.name(row.strategy), against=against(row)) for row in several)

    def against(row: Row) -> Against | None:
        return row.against and replace(row.against, baseline=board.name(row.against.baseline))

    return replace(
        board,
        against=board.against if board.against in ("", BEST) else board.name(board.against),
        overall=rows(board.overall),
        tasks=tuple((label, rows(several)) for label, several in board.tasks),
        problems=tuple(replace(each, strategy=board.name(each.strategy)) for each in board.problems),
    )
