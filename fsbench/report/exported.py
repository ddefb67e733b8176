"""A leaderboard for machines: CSV, one line per row, and JSON with stable keys.

Numbers are in the units of the records, so accuracies lie in [0, 1].
"""

from __future__ import annotations

import csv
import io
import json

from fsbench.report.leaderboard import Leaderboard
from fsbench.report.recommendation import recommendation
from fsbench.report.text import legend

_METRIC = ("name", "title", "meaning", "higher_is_better", "percent")


def to_csv(board: Leaderboard) -> str:
    """Comma-separated values with the columns of `Leaderboard.to_frame`; missing values are empty."""
    if not board.rows:
        return ""
    buffer = io.StringIO()
    rows = [row.to_dict() for row in board.rows]
    writer = csv.DictWriter(buffer, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def to_json(board: Leaderboard) -> str:
    """The whole leaderboard as one JSON object with sorted keys; missing values are null."""
    content = {
        "metric": {name: getattr(board.metric, name) for name in _METRIC},
        "comparisons": board.comparisons,
        "margin": board.margin,
        "trials": board.trials,
        "tuned": board.tuned,
        "tuning": str(board.tuning or ""),
        "split_seeds": board.split_seeds,
        "overall": [row.to_dict() for row in board.overall],
        "tasks": [{"label": label, "rows": [r.to_dict() for r in rows]} for label, rows in board.tasks],
        "problems": [vars(problem) for problem in board.problems],
        "warnings": board.warnings,
        "recommendation": recommendation(board),
        "legend": legend(board),
    }
    return json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n"
