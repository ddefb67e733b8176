"""Rows of a leaderboard, by strategy."""

from __future__ import annotations

from fsbench.report.leaderboard import Leaderboard
from fsbench.report.rows import Row


def overall(board: Leaderboard) -> dict[str, Row]:
    """The rows over all tasks."""
    return {row.strategy: row for row in board.overall}


def on(board: Leaderboard, label: str) -> dict[str, Row]:
    """The rows of one task."""
    return {row.strategy: row for row in dict(board.tasks)[label]}
