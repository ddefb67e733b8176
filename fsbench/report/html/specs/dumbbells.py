"""A chart of two values for each of several names, joined by a line."""

from __future__ import annotations

from typing import Any

NARROW = 560
"""The width in pixels below which names have no room beside their lines."""
_IS_NARROW = f"containerSize()[0] < {NARROW}"
_AXIS = {
    "labelAlign": {"expr": f"{_IS_NARROW} ? 'left' : 'right'"},
    "labelOffset": {"expr": f"{_IS_NARROW} ? -12 : 0"},
    "labelPadding": {"expr": f"{_IS_NARROW} ? -8 : 2"},
    "labelLimit": {"expr": f"{_IS_NARROW} ? containerSize()[0] - 30 : 0.34 * containerSize()[0]"},
    "ticks": False,
    "domain": False,
}


def dumbbells(field: str, title: str, ends: tuple[str, str], description: str) -> dict[str, Any]:
    """A specification for rows with the values "from" (a diamond) and "to" (a point), which `ends` name.

    In a chart narrower than `NARROW`, names are above their lines, where they have its whole width.
    """
    y = {"field": field, "type": "nominal", "sort": None, "title": None, "axis": _AXIS}
    colours = {"domain": list(ends), "range": ["var(--muted)", "var(--accent)"]}
    shapes = {"domain": list(ends), "range": ["diamond", "circle"]}
    tooltip = [
        {"field": field, "title": field},
        {"field": "from", "title": ends[0], "format": ".1f"},
        {"field": "to", "title": ends[1], "format": ".1f"},
    ]

    def point(value: str, name: str, size: int) -> dict[str, Any]:
        return {
            "mark": {"type": "point", "size": size, "opacity": 1, "filled": True},
            "encoding": {
                "x": {"field": value, "type": "quantitative", "title": title, "scale": {"zero": False}},
                "color": {"datum": name, "type": "nominal", "scale": colours},
                "shape": {"datum": name, "type": "nominal", "scale": shapes},
            },
        }

    return {
        "description": description,
        "encoding": {"y": y, "tooltip": tooltip},
        "layer": [
            {
                "mark": {"type": "rule", "strokeWidth": 3, "color": "var(--line)"},
                "encoding": {
                    "x": {"field": "from", "type": "quantitative", "title": title},
                    "x2": {"field": "to"},
                },
            },
            # The first is larger, so that it shows where both are equal.
            point("from", ends[0], 160),
            point("to", ends[1], 80),
        ],
    }
