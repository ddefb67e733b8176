"""Which strategy a leaderboard recommends, or why none."""

from __future__ import annotations

from fsbench.report.baselines import WITHHELD
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.rows import Row
from fsbench.words import plural

_OTHER = "; choose another metric with --metric"


def recommended(board: Leaderboard) -> Row | None:
    """The row over all tasks of the strategy to use; None if there is no recommendation."""
    if obstacle(board):
        return None
    return next(iter(helpers(board)), baseline_row(board))


def baseline_row(board: Leaderboard) -> Row | None:
    """The row over all tasks of what strategies are compared with."""
    return next((row for row in board.overall if row.strategy == board.baseline), None)


def ranked(board: Leaderboard) -> list[Row]:
    """The rows over all tasks that have a rank, the best first."""
    return sorted((row for row in board.overall if row.rank), key=lambda row: row.rank or 0)


def helpers(board: Leaderboard) -> list[Row]:
    """The strategies that may be recommended, the best first.

    Those without a rank were not run on all splits, as where a run until settled left them alone. Scores on
    other splits say nothing, so differences decide, which have the order of scores where splits are the same.
    """
    sign = -1 if board.metric.higher_is_better else 1
    found = [
        row for row in board.overall if row.verdict == "helps" and (row.rank or _only_not_run(row, board))
    ]
    return sorted(
        found, key=lambda row: (sign * row.difference.mean if row.difference else 0.0, row.strategy)
    )


def _only_not_run(row: Row, board: Leaderboard) -> bool:
    """Whether a row over all tasks lacks only trials that were not run, and none of all tasks."""
    parts = on_tasks(row, board)
    whole = all(part.done and part.done == part.ok and not (part.failed or part.skipped) for part in parts)
    return whole and len(parts) == len(board.tasks)


def on_tasks(row: Row, board: Leaderboard) -> list[Row]:
    """The rows of a strategy on the single tasks."""
    return [each for _, rows in board.tasks for each in rows if each.strategy == row.strategy]


def obstacle(board: Leaderboard) -> str:
    """Why nothing can be recommended; "" if something can."""
    baseline = baseline_row(board)
    if baseline is None or not baseline.done:
        without = f"{board.baseline}, with which strategies are compared, has no"
        valueless = baseline is not None and baseline.ok
        return f"{without} {board.metric.title} here{_OTHER}" if valueless else f"{without} result here"
    if not baseline.complete:
        return _incomplete(board)
    compared = [row.verdict for row in board.overall if row.difference]
    if compared and all(word.startswith(WITHHELD) for word in compared):
        return f"every verdict on a difference to {board.baseline} is withheld; the tables and notes say why"
    return ""


def _incomplete(board: Leaderboard) -> str:
    """Why nothing can be compared with a baseline that lacks results, and what to do."""
    total = plural(sum(rows[0].planned for _, rows in board.tasks), "trial")
    trials = {each.kind: each.trials for each in board.problems if each.strategy == board.baseline}
    if "failed" in trials:
        return (
            f"{board.baseline} failed in {trials['failed']} of {total}, and the others may be the easy ones, "
            'so nothing can be compared with it; the line "failed" of `fsbench leaderboard` says why, and '
            "`fsbench run --retry-failed` tries again"
        )
    without = f"{board.baseline}, with which strategies are compared, has no"
    if "not run" in trials:
        return f"{without} result in {trials['not run']} of {total}; `fsbench run` runs what is missing"
    return f"{without} {board.metric.title} in some of {total}{_OTHER}"
