"""What was skipped or failed and why, trial by trial, and what trials noted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fsbench.columns import Columns, Shared
from fsbench.record import Status
from fsbench.report import text
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.names import identity, strategy_names
from fsbench.tuning.tuned import row_name
from fsbench.words import plural

MOST = 1000
"""The rows that a list has at most; it says how many are left out."""
_COLUMNS = ("strategy", "task", "trials")


@dataclass(frozen=True)
class Listing:
    """A list of trials as a table of texts, strategy first; `left_out` says what is missing."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: str = ""
    open: bool = False


@dataclass(frozen=True)
class Trials:
    """Everything of the section: remarks in sentences, then the lists."""

    remarks: tuple[str, ...]
    listings: tuple[Listing, ...]


def trials(boards: Sequence[Leaderboard], columns: Columns) -> Trials:
    """The remarks of the leaderboards, and the trials that failed, were skipped, or left a note."""
    remarks = [line for board in boards for line in (*text.problem_lines(board.problems), *board.warnings)]
    names = strategy_names(columns.shared)
    listings = (
        _listing("Failed", "failed", columns, names),
        _listing("Skipped", "skipped", columns, names),
        _noted(columns, names),
    )
    return Trials(tuple(dict.fromkeys(remarks)), tuple(each for each in listings if each.rows))


def _listing(word: str, status: Status, columns: Columns, names: dict[str, str]) -> Listing:
    rows, count = [], 0
    for shared, places in _with_status(columns, status):
        kind, message = shared.reason or ("unknown", "unknown")
        reason = message if status == "skipped" else f"{kind}: {message}"
        rows.append((*_trial(shared, columns, places, names), reason))
        count += len(places)
    title = f"{word}: {plural(count, 'trial')}"
    return Listing(title, (*_COLUMNS, "reason"), *_cut(sorted(rows)), open=status == "failed")


def _noted(columns: Columns, names: dict[str, str]) -> Listing:
    rows: dict[tuple[str, str, str], list[np.ndarray]] = defaultdict(list)
    for shared, places in _with_status(columns, "ok"):
        for note in shared.notes:
            rows[_name(shared, names), shared.task, note].append(places)
    found = [
        (strategy, task, _seeds(columns, np.concatenate(several)), note)
        for (strategy, task, note), several in sorted(rows.items())
    ]
    return Listing(f"Notes: {plural(len(found), 'note')}", (*_COLUMNS, "note"), *_cut(found))


def _with_status(columns: Columns, status: Status) -> Iterator[tuple[Shared, np.ndarray]]:
    """What records of a status share, and their places among the columns."""
    order = np.argsort(columns.code, kind="stable")
    bounds = np.searchsorted(columns.code[order], np.arange(len(columns.shared) + 1))
    for code, shared in enumerate(columns.shared):
        if shared.status == status:
            yield shared, order[bounds[code] : bounds[code + 1]]


def _trial(
    shared: Shared, columns: Columns, places: np.ndarray, names: dict[str, str]
) -> tuple[str, str, str]:
    return _name(shared, names), shared.task, _seeds(columns, places)


def _name(shared: Shared, names: dict[str, str]) -> str:
    return row_name(names[identity(shared)], shared.tuning)


def _seeds(columns: Columns, places: np.ndarray) -> str:
    """The seeds of some trials: `split seeds 0-4, 7`, with the init seeds if there are several."""
    splits, inits = (np.unique(seeds[places]) for seeds in (columns.split_seed, columns.init_seed))
    found = f"split seed{'s' if len(splits) > 1 else ''} {_ranges(splits.tolist())}"
    return f"{found}, init seeds {_ranges(inits.tolist())}" if len(inits) > 1 else found


def _ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers with neighbours joined: `0-4, 7`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def _cut(rows: Iterable[tuple[str, ...]]) -> tuple[tuple[tuple[str, ...], ...], str]:
    found = tuple(rows)
    left_out = len(found) - MOST
    line = f"Only the first {MOST:,} rows; {left_out:,} more are left out." if left_out > 0 else ""
    return found[:MOST], line
