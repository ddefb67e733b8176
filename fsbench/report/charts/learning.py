"""Learning curves: the scores of each strategy over the number of labels, where tasks differ in it only."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from fsbench.report.labels import trained_on
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.names import apart
from fsbench.report.rows import Row


@dataclass(frozen=True)
class Point:
    """A strategy at a number of labels per class: `row` is that of the task, with score and difference.

    After a search, the number includes the labels of the validation part, rounded.
    """

    labels: int
    row: Row


@dataclass(frozen=True)
class Line:
    """The points of a strategy that have a score, by number of labels."""

    strategy: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Curves:
    """The learning curves on a family of tasks that differ in the number of labels only.

    `family` is the text that the tasks have in common, `axis` the name of the argument in which they differ,
    and `labels` are the numbers of labels per class, at least two, in ascending order. The baseline's line is
    the first, then come the others by their score at the largest number.
    """

    family: str
    axis: str
    labels: tuple[int, ...]
    lines: tuple[Line, ...]


def curves(board: Leaderboard) -> tuple[Curves, ...]:
    """The learning curves of a leaderboard, in the order of its tasks."""
    families: dict[tuple[str, str, str], dict[int, tuple[Row, ...]]] = defaultdict(dict)
    for setting, (label, rows) in zip(board.settings, board.tasks, strict=True):
        if rows and (found := trained_on(setting)):
            name, axis, number = found
            # A label says, after the task, in what the recipe differs from that of the same task elsewhere.
            special = label.removeprefix(setting.task)
            families[name + special, axis, setting.recipe][round(number)] = rows
    several = {place: by_number for place, by_number in families.items() if len(by_number) > 1}
    recipes: dict[str, list[str]] = defaultdict(list)
    for name, _, recipe in several:
        recipes[name].append(recipe)
    return tuple(
        _curves(board, name + apart(recipes[name])[recipe], axis, by_number)
        for (name, axis, recipe), by_number in several.items()
    )


def _curves(board: Leaderboard, name: str, axis: str, by_number: dict[int, tuple[Row, ...]]) -> Curves:
    points: dict[str, list[Point]] = defaultdict(list)
    for number, rows in sorted(by_number.items()):
        for row in rows:
            if row.score:
                points[row.strategy].append(Point(number, row))
    sign = -1 if board.metric.higher_is_better else 1

    def order(item: tuple[str, list[Point]]) -> tuple[bool, int, float, str]:
        strategy, found = item
        last = found[-1]
        score = last.row.score.mean if last.row.score else 0.0
        return strategy != board.baseline, -last.labels, sign * score, strategy

    lines = tuple(Line(name, tuple(found)) for name, found in sorted(points.items(), key=order))
    return Curves(name, axis, tuple(sorted(by_number)), lines)
