"""The critical-difference diagram."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fsbench.report.charts import Charts, Ranks
from fsbench.report.html.chart import Chart, Column, Row, group_name
from fsbench.report.names import first_few
from fsbench.words import capital, plural

_LANE = 24
_HOW = (
    "The mean rank of each strategy that has a result in every trial; further left is better. Tasks that "
    "share data count as one. A bar joins strategies whose ranks differ by less than the critical difference "
    "at the 5 % level (Nemenyi)."
)


def critical_difference(boards: Sequence[Charts]) -> Chart | None:
    """The mean ranks of strategies, and bars over those that are not significantly different.

    None with a single group of tasks, which says nothing about differences of ranks.
    """
    found = {group_name(of.board, boards): of.ranks for of in boards if of.ranks and of.ranks.p is not None}
    if not found:
        return None
    groups = {name: _rows(each) for name, each in found.items()}
    lanes = max(len({row["lane"] for row in rows}) for rows in groups.values())
    return Chart(
        name="ranks",
        title="Critical difference",
        about=" ".join([_HOW, *(_said(each, name, len(boards) > 1) for name, each in found.items())]),
        spec=_spec(lanes),
        groups=groups,
        columns=[
            Column("name", "strategy or bar"),
            Column("rank", "mean rank", 2),
            Column("end", "to rank", 2),
        ],
        group="Results",
    )


def _said(found: Ranks, name: str, several: bool) -> str:
    """What the tests found in a group of rows, with its name if there are several."""
    text = (
        f"{capital(name) if several else 'Here'}: {plural(len(found.groups), 'independent group')}, a "
        f"critical difference of {found.critical_difference:.2f}, and p = {found.p:.2g} by the Friedman test "
        "of equal ranks."
    )
    if found.left_out:
        verb = "is" if len(found.left_out) == 1 else "are"
        count = plural(len(found.left_out), "strategy")
        text += f" {count} without a result in every trial {verb} not ranked: {first_few(found.left_out)}."
    return text


def _rows(found: Ranks) -> list[Row]:
    """A row for each bar, then one for each strategy, in lanes from the top."""
    bars = [
        (found.mean[first], found.mean[last], "not significantly different") for first, last in found.cliques
    ]
    if found.critical_difference is not None:
        bars.insert(0, (1.0, 1.0 + found.critical_difference, "critical difference"))
    rows: list[Row] = [
        {"name": name, "rank": start, "end": end, "lane": lane, "bar": True, "side": False}
        for lane, (start, end, name) in enumerate(bars)
    ]
    middle = (found.mean[0] + found.mean[-1]) / 2
    rows += [
        {
            "name": name,
            "rank": mean,
            "end": None,
            "lane": len(bars) + place,
            "bar": False,
            "side": mean > middle,
        }
        for place, (name, mean) in enumerate(zip(found.strategies, found.mean, strict=True))
    ]
    return rows


def _spec(lanes: int) -> dict[str, Any]:
    x = {
        "field": "rank",
        "type": "quantitative",
        "title": "mean rank (1 is best)",
        "scale": {"zero": False, "nice": False, "padding": 16},
        "axis": {"orient": "top", "format": "~g"},
    }
    y = {"field": "lane", "type": "ordinal", "axis": None}
    tooltip = [
        {"field": "name", "title": "strategy"},
        {"field": "rank", "title": "mean rank", "format": ".2f"},
    ]
    strategies = {"filter": "!datum.bar"}
    return {
        "height": _LANE * lanes,
        "description": "Mean ranks of the strategies, with bars over those that differ by chance",
        "encoding": {"x": x, "y": y},
        "layer": [
            {
                "transform": [{"filter": "datum.bar"}],
                "mark": {"type": "rule", "strokeWidth": 6, "strokeCap": "round"},
                "encoding": {
                    "x2": {"field": "end"},
                    "tooltip": {"field": "name"},
                    "color": {
                        "condition": {
                            "test": "datum.name === 'critical difference'",
                            "value": "var(--accent)",
                        },
                        "value": "var(--faint)",
                    },
                },
            },
            {
                "transform": [{"filter": "datum.name === 'critical difference'"}],
                "mark": {"type": "text", "align": "left", "dx": 10},
                "encoding": {"x": {**x, "field": "end"}, "text": {"field": "name"}},
            },
            {
                "transform": [strategies],
                "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1, "color": "var(--ink)"},
                "encoding": {"tooltip": tooltip},
            },
            *(
                {
                    "transform": [strategies, {"filter": f"{'' if left else '!'}datum.side"}],
                    "mark": {"type": "text", "align": "right" if left else "left", "dx": -10 if left else 10},
                    "encoding": {"text": {"field": "name"}, "tooltip": tooltip},
                }
                for left in (False, True)
            ),
        ],
    }
