"""A leaderboard for each search: tuned and default results are never in one ranking."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, replace

from fsbench.columns import Columns, of_records
from fsbench.metrics import DEFAULT_METRIC, get_metric
from fsbench.record import Record
from fsbench.report.baselines import BEST, Against
from fsbench.report.comparable import Comparable
from fsbench.report.leaderboard import Leaderboard, leaderboard_of
from fsbench.report.looking import with_looks
from fsbench.report.rows import Row
from fsbench.tuning.tuned import Tuning


def leaderboards(
    records: Iterable[Record] | Columns,
    metric: str = DEFAULT_METRIC,
    all_versions: bool = False,
    baseline: str | None = None,
    margin: float | None = None,
) -> list[Leaderboard]:
    """The leaderboards of some records: that of the results without tuning first, then by size of the search.

    In a leaderboard of tuned results, strategies are named `tuned(focal)` and are compared with the
    baseline that was tuned alike. Arguments and errors are those of `leaderboard`, of which it makes at least
    one, even without records. Results of `--until-settled` have the verdicts of its looks.
    """
    columns = records if isinstance(records, Columns) else of_records(records, [get_metric(metric).name])
    return leaderboards_of(by_search(columns, all_versions), metric, baseline, margin)


def by_search(columns: Columns, all_versions: bool) -> list[Comparable]:
    """What can be compared among some records: those without tuning first, then by size of the search."""
    found = {shared.tuning for shared in columns.shared} or {""}
    searches = sorted(found, key=lambda tuning: astuple(Tuning.read(tuning)) if tuning else (0,))
    parts = [columns.select([shared.tuning == tuning for shared in columns.shared]) for tuning in searches]
    return [Comparable(part, all_versions) for part in parts]


def leaderboards_of(
    given: Sequence[Comparable], metric: str, baseline: str | None, margin: float | None
) -> list[Leaderboard]:
    """The `leaderboards` of records by search, by one of several metrics."""
    found = []
    for part in given:
        board = leaderboard_of(part, metric, baseline, margin)
        if part.tuning:
            found.append(_renamed(board, Tuning.read(part.tuning)))
        else:
            found.append(with_looks(board, part.columns.evidence.looks))
    return found


def _renamed(given: Leaderboard, tuning: Tuning) -> Leaderboard:
    """A leaderboard of results of a search, with the names of tuned strategies."""
    board = replace(given, tuning=tuning)

    def rows(several: Iterable[Row]) -> tuple[Row, ...]:
        return tuple(replace(row, strategy=board.name(row.strategy), against=against(row)) for row in several)

    def against(row: Row) -> Against | None:
        found = row.against
        return found and replace(found, baseline=found.baseline and board.name(found.baseline))

    return replace(
        board,
        against=board.against if board.against in ("", BEST) else board.name(board.against),
        overall=rows(board.overall),
        tasks=tuple((label, rows(several)) for label, several in board.tasks),
        problems=tuple(replace(each, strategy=board.name(each.strategy)) for each in board.problems),
    )
