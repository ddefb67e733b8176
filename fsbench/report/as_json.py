"""A report for programs: one JSON object with sorted keys; missing values are null.

Numbers are in the units of the records, so accuracies lie in [0, 1].
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from fsbench import __version__
from fsbench.report.charts import Charts
from fsbench.report.contents import Report
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.recommendation import recommendation
from fsbench.report.rows import Row, rounded
from fsbench.report.text import legend

_METRIC = ("name", "title", "meaning", "higher_is_better", "percent")
_CHARTS = ("curves", "ranks", "costs", "fits", "predicted", "forgotten", "source_gains")


def files(report: Report, stem: str) -> Iterator[tuple[str, bytes]]:
    """One file: the leaderboards with their charts."""
    boards = [board_content(each.board) | {"charts": _charts(each)} for each in report.charts]
    content = {"fsbench": __version__, "name": report.name, "leaderboards": boards}
    text = json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n"
    yield f"{stem}.json", text.encode()


def board_content(board: Leaderboard) -> dict[str, Any]:
    """A leaderboard as plain values."""
    return {
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


def _charts(charts: Charts) -> dict[str, Any]:
    """The charts by name, but for the heat map, whose cells are the rows of the tasks."""
    return {name: plain(getattr(charts, name)) for name in _CHARTS}


def plain(value: Any) -> Any:
    """Dataclasses and arrays as dictionaries and lists; a row by its task and strategy, where it is whole."""
    if isinstance(value, Row):
        return {"task": value.task, "strategy": value.strategy}
    if is_dataclass(value):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float):
        return rounded(value) if math.isfinite(value) else None
    return value
