"""The charts of the page: what their texts and colours say of what is settled and of tuned results."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import vl_convert
from records import over_seeds
from whole_results import columns_of

from fsbench.record import Record
from fsbench.report.budgets import leaderboards
from fsbench.report.charts import Charts
from fsbench.report.html.chart import BASE
from fsbench.report.html.specs.costs import pareto
from fsbench.report.html.specs.ranks import critical_difference
from fsbench.report.html.specs.transfer import source_gain
from fsbench.report.leaderboard import leaderboard

ERM = 0.7 + 0.01 * np.array([1, -1, 0.5, -0.5, 0.8, -0.8, 0.2, -0.2])
NOISE = 0.004 * np.array([1, -1, -1, 1, 1, -1, 1, -1])
SOURCES = {"patches": (-0.02, 40), "mnist5k": (-0.1, 1), "glyphs": (0.1, 1)}
"""For each source, what the strategy gains, and how much more that varies between splits."""


def from_sources() -> list[Record]:
    """A strategy whose gain from the first source is below 0 by chance."""
    found = []
    for source, (gain, spread) in SOURCES.items():
        task = f"kshot(digits, k=5, source={source})"
        found += over_seeds(task, "erm", ERM)
        found += over_seeds(task, "transfer", ERM + gain + spread * NOISE, uses=("source",))
    return found


@pytest.mark.parametrize("metric", ["balanced_accuracy", "nll"])
def test_only_a_settled_gain_from_a_source_is_in_colour(metric: str) -> None:
    chart = source_gain([Charts(leaderboard(from_sources(), metric))])
    assert chart is not None
    rows = list(chart.groups["transfer"])
    assert {row["source"]: (row["verdict"], row["settled"]) for row in rows} == {
        "patches": ("none", "none"),
        "mnist5k": ("hurts", "hurts on 1"),
        "glyphs": ("helps", "helps on 1"),
    }
    assert "To the left, plain training scored better; only what is settled" in chart.about
    drawn = vl_convert.vegalite_to_svg({**BASE, **chart.spec, "width": 300, "data": {"values": rows}})
    bars = re.findall(
        r'aria-label="[^"]*source: (\w+)[^"]*"[^>]*aria-roledescription="bar"[^>]*fill="([^"]*)', drawn
    )
    assert dict(bars) == {"patches": "var(--faint)", "mnist5k": "var(--hurts)", "glyphs": "var(--helps)"}


def test_a_gain_has_no_colour_of_a_verdict_that_contradicts_it() -> None:
    """On one task it surely helps; a chance loss on another makes the mean a loss."""
    one, two = (f"kshot({name}, k=5, source=patches)" for name in ("digits", "mnist5k"))
    records = over_seeds(one, "erm", ERM) + over_seeds(two, "erm", ERM)
    records += over_seeds(one, "transfer", ERM + 0.05 + NOISE, uses=("source",))
    records += over_seeds(two, "transfer", ERM - 0.1 + 60 * NOISE, uses=("source",))
    chart = source_gain([Charts(leaderboard(records))])
    assert chart is not None
    ((row,),) = chart.groups.values()
    assert (row["gain"] < 0, row["settled"], row["verdict"]) == (True, "helps on 1", "none")


def tuned_and_not(more: Sequence[Record] = ()) -> list[Charts]:
    """Three strategies on four tasks, which are tuned on two of them, and more records."""
    found = list(more)
    for place, name in enumerate(("digits", "wine", "breast_cancer", "glyphs")):
        for spec, by in (("erm", 0.0), ("focal", 0.02), ("mixup", 0.04)):
            plain = over_seeds(f"kshot({name}, k=5)", spec, ERM + by + 0.001 * place)
            found += plain
            found += [replace(r, key=f"t{r.key[1:]}", tuning="tuning(n=4)") for r in plain if place in (1, 2)]
    return [Charts(board) for board in leaderboards(columns_of(found))]


def test_the_critical_difference_of_tuned_results_is_said_beside_that_of_others() -> None:
    boards = tuned_and_not()
    chart = critical_difference(boards)
    assert chart is not None
    for name, of in zip(chart.groups, boards, strict=True):
        assert of.ranks is not None
        start = (
            f"{name[:1].upper()}{name[1:]}: {len(of.ranks.groups)} independent groups, a critical difference"
        )
        assert f"{start} of {of.ranks.critical_difference:.2f}," in chart.about
    assert chart.about.count("A bar joins") == 1


def test_an_axis_for_tuned_results_and_others_names_no_baseline_of_one_of_them() -> None:
    boards = tuned_and_not()
    for shown, named in ((boards, "plain training"), (boards[:1], "erm"), (boards[1:], "tuned(erm, n=4)")):
        chart = pareto(shown)
        assert chart is not None
        assert f'seconds of a trial, times those of {named}"' in json.dumps(chart.spec)
        assert f"gain over {named}, points" in json.dumps(chart.spec)
        assert f"cost, times {named}" in [column.title for column in chart.columns]
    chart = source_gain(tuned_and_not(from_sources()))
    assert chart is not None
    assert "gain over erm, points" in json.dumps(chart.spec)
