"""Judges a leaderboard at a look of `--until-settled`, and shows the verdicts of stored looks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from fsbench import stats
from fsbench.composition import BASELINE
from fsbench.looks import OPEN, Key, Look, adjusted, summed_up
from fsbench.metrics import Metric
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.rows import Row
from fsbench.words import plural

WITHHELD, OVERALL = "withheld", "overall"


def key_of(row: Row) -> Key:
    """The comparison of a row."""
    return row.task, row.recipe, row.full_spec


def look_at(board: Leaderboard, before: Sequence[Look], seeds: int) -> Look:
    """The next look, at a leaderboard whose open comparisons have a number of split seeds.

    Settled comparisons are not judged again. Those whose verdict is withheld, or that lack results, never get
    one. The mean over tasks is judged as long as all tasks have as many seeds: later, which tasks get seeds
    depends on the results.
    """
    known, number = summed_up(before), len(before) + 1
    on_tasks = [row for _, rows in board.tasks for row in rows if row.difference]
    ever = {key for key in known if key[0] != OVERALL} | {key_of(row) for row in on_tasks}
    count = max([len(ever), *(each.comparisons for each in before)])
    means = [row for row in board.overall if row.difference] if len(board.tasks) > 1 else []
    found: dict[Key, tuple[float, str]] = {}
    for rows, comparisons in ((on_tasks, count), (means, len(means))):
        for row in rows:
            if known.get(key_of(row), (1.0, OPEN))[1] != OPEN:
                continue
            if row.verdict.startswith(WITHHELD):
                found[key_of(row)] = 1.0, row.verdict
            elif _complete(row, seeds):
                found[key_of(row)] = _judged(row, number, comparisons, board.metric, board.margin)
            elif row.task != OVERALL:
                found[key_of(row)] = 1.0, f"{WITHHELD}: incomplete"
    return Look(number, seeds, board.metric.name, board.margin, count, found)


def still_open(looks: Sequence[Look]) -> set[Key]:
    """The comparisons on single tasks that no look has settled."""
    return {key for key, (_, word) in summed_up(looks).items() if word == OPEN and key[0] != OVERALL}


def with_looks(board: Leaderboard, looks: Iterable[Look]) -> Leaderboard:
    """The leaderboard with the verdicts of the looks at its metric, in place of those of all its seeds."""
    taken = [each for each in looks if each.metric == board.metric.name]
    if not taken:
        return board
    known = summed_up(taken)
    tasks = tuple((label, tuple(_shown(rows, known))) for label, rows in board.tasks)
    said = (
        f"verdicts are those of {plural(len(taken), 'look')} with --until-settled, which share the 5 %; "
        f"split seeds beyond {max(each.seeds for each in taken)} count in the scores only"
    )
    overall = tuple(_shown(board.overall, known))
    if len(tasks) == 1:
        only = {row.strategy: row for row in tasks[0][1]}
        overall = tuple(
            replace(row, p=only[row.strategy].p, verdict=only[row.strategy].verdict) for row in overall
        )
    return replace(board, overall=overall, tasks=tasks, warnings=(*board.warnings, said), against="")


def _shown(rows: Sequence[Row], known: dict[Key, tuple[float, str]]) -> Iterator[Row]:
    for row in rows:
        if row.strategy == BASELINE or row.difference is None or row.verdict.startswith(WITHHELD):
            yield replace(row, against=None)
        else:
            p, word = known.get(key_of(row), (1.0, OPEN))
            yield replace(row, p=p, verdict=word, against=None)


def _complete(row: Row, seeds: int) -> bool:
    """Whether a row has exactly the seeds of a look on all its tasks."""
    n = row.difference.n if row.difference else 0
    return n == seeds and (row.task != OVERALL or row.complete)


def _judged(row: Row, number: int, comparisons: int, metric: Metric, margin: float) -> tuple[float, str]:
    assert row.difference is not None
    p = adjusted(row.difference.p, number, comparisons)
    equal = adjusted(stats.equivalence(row.difference, margin), number, comparisons)
    word: str = stats.verdict(row.difference.mean, p, metric.higher_is_better, equal)
    return p, word
