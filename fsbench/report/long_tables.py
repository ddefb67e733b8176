"""Results as long tables, for spreadsheets and data frames: a row per strategy and task, or a row per trial.

The parts of a task's text (protocol, dataset, k, ...) have columns of their own. Numbers are in the units of
the records, so accuracies lie in [0, 1].
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from fsbench.columns import SHARED, Columns
from fsbench.errors import SpecError
from fsbench.report import escape
from fsbench.report.contents import Report
from fsbench.report.rows import EMPTY, OVERALL, Row
from fsbench.spec import format_value
from fsbench.tasks.expressions import task_arguments

if TYPE_CHECKING:
    import pandas as pd

Table = dict[str, list[Any]]
"""Columns of equal length by name; None where there is no value."""
_FIRST = ("protocol", "dataset")
_SEEDS = ("split_seed", "init_seed")
_SAID = ("strategy", "status", "reason", "uses", "notes", "task", "recipe", "full_spec", "tuning", "device")
_TAKEN = {*EMPTY.to_dict(), *SHARED, *_SEEDS, *_SAID, "key"}


def files(report: Report, stem: str) -> Iterator[tuple[str, bytes]]:
    """The rows of the leaderboards, and the trials."""
    rows = [row for board in report.boards for row in board.rows]
    yield f"{stem}.csv", to_csv(row_table(rows)).encode()
    yield f"{stem}-trials.csv", to_csv(trial_table(report.columns)).encode()


def row_table(rows: Sequence[Row]) -> Table:
    """A row for each row of a leaderboard, with the columns of `Row.to_dict` behind those of its task."""
    texts = [row.to_dict() for row in rows]
    return _of_tasks([row.task for row in rows]) | {
        name: [each[name] for each in texts] for name in EMPTY.to_dict()
    }


def trial_table(columns: Columns) -> Table:
    """A row for each trial: its task, seeds, strategy, status, metrics and costs; `key` names the trial."""
    codes = columns.code.tolist()
    said = [
        {
            **{name: getattr(shared, name) for name in _SAID if name in SHARED},
            "strategy": shared.spec,
            "reason": ": ".join(shared.reason) if shared.reason else "",
            "uses": " ".join(shared.uses),
            "notes": "; ".join(shared.notes),
        }
        for shared in columns.shared
    ]
    tasks = _of_tasks([shared.task for shared in columns.shared])
    numbers = {**columns.values, **columns.numbers}
    return {
        **{name: [values[code] for code in codes] for name, values in tasks.items()},
        **{name: getattr(columns, name).tolist() for name in _SEEDS},
        **{name: [said[code][name] for code in codes] for name in _SAID},
        **{
            name: [value if value == value else None for value in each.tolist()]
            for name, each in numbers.items()
        },
        "key": [key.decode() for key in columns.key.tolist()],
    }


def trial_frame(columns: Columns) -> pd.DataFrame:
    """The table of trials as a data frame; whole arguments stay whole where some tasks have none."""
    import pandas as pd

    frame = pd.DataFrame(trial_table(columns))
    arguments = frame.columns[: list(frame.columns).index(_SEEDS[0])]
    return frame.assign(**{name: frame[name].convert_dtypes() for name in arguments})


def to_csv(table: Table) -> str:
    """Comma-separated values; missing ones are empty, and no text can be taken for a formula."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(table)
    for row in zip(*table.values(), strict=True):
        writer.writerow([escape.csv(value) if isinstance(value, str) else value for value in row])
    return buffer.getvalue()


def _of_tasks(tasks: Iterable[str]) -> Table:
    """A column for each argument that a task has: protocol and dataset, then the others by name."""
    found = [_arguments(task) for task in tasks]
    names = {name for each in found for name in each}
    ordered = [*(name for name in _FIRST if name in names), *sorted(names.difference(_FIRST))]
    return {name: [each.get(name) for each in found] for name in ordered}


def _arguments(task: str) -> dict[str, Any]:
    """The arguments of a task; `task_status` for one that is named as another column. None overall."""
    try:
        found = {} if task == OVERALL else task_arguments(task)
    except SpecError:
        return {}
    return {
        f"task_{name}" if name in _TAKEN else name: format_value(value) if isinstance(value, tuple) else value
        for name, value in found.items()
    }
