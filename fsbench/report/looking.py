"""Judges a leaderboard at a look of `--until-settled`, and shows the verdicts of stored looks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from fsbench import stats
from fsbench.composition import BASELINE
from fsbench.looks import ERROR, OPEN, Key, Look, adjusted, summed_up
from fsbench.metrics import Metric
from fsbench.report import text
from fsbench.report.baselines import WITHHELD, Against
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.rows import OVERALL, Row
from fsbench.stats import Estimate
from fsbench.words import plural

COLLECTED = "was collected with --until-settled: its number of split seeds depends on its results"
"""What is true of results with looks, where nothing is corrected for them."""
_NO_LOOK = f"{WITHHELD}: no look"


def key_of(row: Row) -> Key:
    """The comparison of a row."""
    return row.task, row.recipe, row.full_spec


def look_at(board: Leaderboard, before: Sequence[Look], seeds: int) -> Look:
    """The next look, at a leaderboard whose open comparisons have a number of split seeds.

    Settled comparisons are not judged again. Those whose verdict is withheld, or that lack results, never get
    one. The mean over tasks is judged as long as all tasks have as many seeds: later, which tasks get seeds
    depends on the results. Comparisons with the baselines, families of their own, are judged where they have
    these seeds as well; none claims what the comparison with ERM leaves open.
    """
    known, number = summed_up(before), len(before) + 1
    on_tasks = [row for _, rows in board.tasks for row in rows if row.compared]
    count = max([_ever(known, on_tasks), *(each.comparisons for each in before)])
    means = [row for row in _means(board, known) if row.compared]
    found: dict[Key, tuple[float, str]] = {}
    for rows, comparisons in ((on_tasks, count), (means, len(means))):
        for row in rows:
            if known.get(key_of(row), (1.0, OPEN))[1] != OPEN:
                continue
            if row.verdict.startswith(WITHHELD):
                found[key_of(row)] = 1.0, row.verdict
            elif _complete(row, row.difference, seeds):
                found[key_of(row)] = _judged(row, number, comparisons, board.metric, board.margin)
            elif row.task != OVERALL:
                found[key_of(row)] = 1.0, f"{WITHHELD}: incomplete"
    unclear = {key for key, (_, word) in (known | found).items() if word == OPEN}
    against = _against(board, before, seeds, unclear)
    return Look(number, seeds, board.metric.name, board.margin, count, found, against, board.rivals)


def _means(board: Leaderboard, known: Iterable[Key]) -> Sequence[Row]:
    """The rows over tasks, if there are several, and no task of an earlier look is missing."""
    here = {(row.task, row.recipe) for _, rows in board.tasks for row in rows}
    before = {(task, recipe) for task, recipe, _ in known if task != OVERALL}
    return board.overall if len(here) > 1 and before <= here else ()


def _ever(known: Iterable[Key], rows: Sequence[Row]) -> int:
    """The number of comparisons on single tasks, among those known and those of some rows."""
    return len({key for key in known if key[0] != OVERALL} | {key_of(row) for row in rows})


def _against(
    board: Leaderboard, before: Sequence[Look], seeds: int, unclear: Collection[Key]
) -> dict[Key, tuple[float, str]]:
    """The adjusted p-value and the verdict of each comparison with the baselines that is open.

    `unclear` are the comparisons with ERM that are not settled.
    """
    known, number = summed_up(before, board.rivals), len(before) + 1
    found: dict[Key, tuple[float, str]] = {}
    on_tasks = [row for _, rows in board.tasks for row in rows if _tested(row)]
    means = [row for row in _means(board, summed_up(before)) if _tested(row)]
    for rows, comparisons in ((on_tasks, _ever(known, on_tasks)), (means, len(means))):
        for row in rows:
            against = row.against
            if against is None or known.get(key_of(row), (1.0, OPEN))[1] != OPEN:
                continue
            if _complete(row, against.difference, seeds) and against.verdict != WITHHELD:
                p, word = against.claimed
                p = adjusted(p, number, comparisons)
                settled = p <= ERROR and not (key_of(row) in unclear and _about_erm(board, against, word))
                found[key_of(row)] = p, word if settled else OPEN
    return found


def _about_erm(board: Leaderboard, against: Against, word: str) -> bool:
    """Whether a claim of a comparison with the baselines is one about ERM as well."""
    among = any(row.strategy == BASELINE and row.full_spec in board.rivals for row in board.overall)
    return among and (word == "better" or (word, against.baseline) == ("worse", BASELINE))


def _tested(row: Row) -> bool:
    """Whether a row is of a strategy that is compared with baselines."""
    return row.against is not None and row.against.verdict != "baseline"


def still_open(looks: Sequence[Look]) -> set[Key]:
    """The comparisons on single tasks that no look has settled."""
    return {key for key, (_, word) in summed_up(looks).items() if word == OPEN and key[0] != OVERALL}


def with_looks(board: Leaderboard, looks: Iterable[Look]) -> Leaderboard:
    """The leaderboard with the verdicts and the margin of the looks at its metric, if there are looks.

    If all of them are by other metrics, verdicts are withheld: the number of split seeds depends on results.
    """
    every = list(looks)
    board = replace(board, looked=bool(every))
    taken = [each for each in every if each.metric == board.metric.name]
    if taken:
        return _judged_by(replace(board, margin=taken[-1].margin), taken)
    return _unjudged(board, dict.fromkeys(each.metric for each in every)) if every else board


def _unjudged(board: Leaderboard, metrics: Iterable[str]) -> Leaderboard:
    """A leaderboard without verdicts, because its split seeds were chosen by looks at other metrics."""
    looked = " and ".join(metrics)
    said = (
        f"no verdicts: --until-settled looked at {looked}, on which the number of split seeds depends; "
        f"`--metric` with {looked} shows the verdicts of its looks"
    )
    return replace(
        board,
        overall=tuple(map(_without_verdict, board.overall)),
        tasks=tuple((label, tuple(map(_without_verdict, rows))) for label, rows in board.tasks),
        warnings=(*board.warnings, said),
    )


def _without_verdict(row: Row) -> Row:
    if row.against and _tested(row):
        row = replace(row, against=replace(row.against, p=None, verdict=WITHHELD))
    return row if row.p is None else replace(row, p=None, verdict=_NO_LOOK)


def _judged_by(board: Leaderboard, taken: Sequence[Look]) -> Leaderboard:
    """A leaderboard with the verdicts of looks at its metric."""
    known, against = summed_up(taken), summed_up(taken, board.rivals)
    said = (
        f"verdicts are those of {plural(len(taken), 'look')} with --until-settled, with a margin of "
        f"{text.margin(board.margin, board.metric)}, which share the 5 %; split seeds beyond "
        f"{max(each.seeds for each in taken)} count in the scores only"
    )
    if board.rivals and all(each.baselines != board.rivals for each in taken):
        said += f"; no look judged the difference to {board.against}, which has no verdict"
    tasks = tuple((label, tuple(_shown(rows, known, against))) for label, rows in board.tasks)
    overall = tuple(_shown(board.overall, known, against))
    if len(tasks) == 1:
        only = {row.strategy: row for row in tasks[0][1]}
        overall = tuple(
            replace(row, **{name: getattr(only[row.strategy], name) for name in ("p", "verdict", "against")})
            for row in overall
        )
    return replace(board, overall=overall, tasks=tasks, warnings=(*board.warnings, said))


def _shown(
    rows: Sequence[Row], known: Mapping[Key, tuple[float, str]], against: Mapping[Key, tuple[float, str]]
) -> Iterator[Row]:
    """Rows with the verdicts of looks; a comparison that no look judged has none."""
    for row in rows:
        if row.against and _tested(row) and row.against.verdict != WITHHELD:
            p, word = against.get(key_of(row), (None, WITHHELD))
            row = replace(row, against=replace(row.against, p=p, verdict=word))
        if row.strategy != BASELINE and row.difference and not row.verdict.startswith(WITHHELD):
            p, word = known.get(key_of(row), (None, _NO_LOOK))
            row = replace(row, p=p, verdict=word)
        yield row


def _complete(row: Row, difference: Estimate | None, seeds: int) -> bool:
    """Whether a difference has exactly the seeds of a look on all tasks of a row."""
    return difference is not None and difference.n == seeds and (row.task != OVERALL or row.complete)


def _judged(row: Row, number: int, comparisons: int, metric: Metric, margin: float) -> tuple[float, str]:
    assert row.difference is not None
    p = adjusted(row.difference.p, number, comparisons)
    equal = adjusted(stats.equivalence(row.difference, margin), number, comparisons)
    word: str = stats.verdict(row.difference.mean, p, metric.higher_is_better, equal)
    return p, word
