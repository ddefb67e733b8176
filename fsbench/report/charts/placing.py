"""Where names stand beside points, so that none covers another name or another point."""

from __future__ import annotations

import math
from collections.abc import Sequence

Box = tuple[float, float, float, float]
"""The left, upper, right and lower end."""
PLACES = (
    ("left", 8, -8),
    ("left", 8, 9),
    ("right", -8, -8),
    ("right", -8, 9),
    ("left", 10, 0),
    ("right", -10, 0),
)
"""Where a name can be: its alignment, and its distance from the point to the right and down."""
_HALF = 6
"""Half the side of the square that a point takes, and half the height of a name."""


def placed(
    points: Sequence[tuple[float, float]],
    widths: Sequence[float],
    first: Sequence[bool],
    room: tuple[float, float] = (-math.inf, math.inf),
) -> list[tuple[int, bool]]:
    """For each point, the place of its name in `PLACES`, and whether the name has room there.

    `points` are to the right and down, `widths` those of the names, all in one unit, such as pixels. Names
    of those that come `first` are placed before others; they may cover a point, but no name. None
    goes beyond the left and the right end of `room`.
    """
    taken = [(x - _HALF, y - _HALF, x + _HALF, y + _HALF) for x, y in points]
    names: list[Box] = []
    found = [(0, False)] * len(points)
    for i in sorted(range(len(points)), key=lambda number: not first[number]):
        boxes = [box(points[i], place, widths[i]) for place in PLACES]
        clashes = [
            (
                sum(_overlap(each, other) for other in names) + (each[0] < room[0] or each[2] > room[1]),
                sum(_overlap(each, other) for other in taken),
            )
            for each in boxes
        ]
        best = clashes.index(min(clashes))
        on_names, on_points = clashes[best]
        clear = not on_names and (first[i] or not on_points)
        found[i] = best, clear
        if clear:
            names.append(boxes[best])
    return found


def box(point: tuple[float, float], place: tuple[str, int, int], width: float) -> Box:
    """Where a name of a width would be, beside a point at a place of `PLACES`."""
    align, dx, dy = place
    left = point[0] + dx - (width if align == "right" else 0)
    return left, point[1] + dy - _HALF, left + width, point[1] + dy + _HALF


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
