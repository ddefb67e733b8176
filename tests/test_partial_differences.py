"""Differences that cover only some tasks of a row, because what it is compared with lacks the others."""

from __future__ import annotations

import pytest
from pages import render
from records import over_seeds, skipped

from fsbench.report import text
from fsbench.report.charts import Charts
from fsbench.report.charts.gains import MEAN
from fsbench.report.html.heatmap import heat_maps
from fsbench.report.leaderboard import Leaderboard, leaderboard
from fsbench.report.recommendation import recommendation

A, B, C = "kshot(wine, k=1)", "kshot(digits, k=5)", "kshot(iris, k=5)"
ERM = [0.70, 0.72, 0.68, 0.71, 0.69]
BETTER = [0.80, 0.823, 0.779, 0.812, 0.788]


def overall(board: Leaderboard, strategy: str) -> text.Row:
    return next(row for row in board.overall if row.strategy == strategy)


def test_a_difference_over_some_tasks_has_a_star_and_is_no_average_over_all() -> None:
    """Plain training was run on two tasks of three, and on one."""
    focal = [record for task in (A, B, C) for record in over_seeds(task, "focal", BETTER)]
    two = leaderboard([*over_seeds(A, "erm", ERM), *over_seeds(B, "erm", ERM), *focal])
    row = overall(two, "focal")
    assert (row.complete, row.matched, row.verdict) == (True, False, "helps")
    assert text.difference(row, two.metric).endswith("*")
    assert "Helps on average over tasks: focal (on 2 tasks)." in recommendation(two)
    one = leaderboard([*over_seeds(A, "erm", ERM), *focal])
    assert text.difference(overall(one, "focal"), one.metric).endswith("*")
    assert not any("on average over tasks" in line for line in recommendation(one))
    for task, rows in one.tasks:
        shown = next(text.difference(row, one.metric) for row in rows if row.strategy == "focal")
        assert shown == ("-" if task != A else shown.rstrip("*"))


def test_a_comparison_with_a_baseline_that_lacks_tasks_has_a_star_and_is_announced() -> None:
    records = [record for task in (A, B) for record in over_seeds(task, "erm", ERM)]
    records += [record for task in (A, B) for record in over_seeds(task, "focal", BETTER)]
    records += over_seeds(A, "boost", BETTER[::-1], baseline=True)
    records += [skipped(task=B, spec="boost", split_seed=seed, baseline=True) for seed in range(5)]
    board = leaderboard(records, baseline="boost")
    assert text.against(overall(board, "focal"), board.metric).endswith("*")
    assert text.difference(overall(board, "focal"), board.metric)[-1] != "*"
    said = "baseline boost was skipped on 1 of 2 tasks: overall, strategies with results there are"
    assert f"{said} compared with it on the other tasks alone, without a claim" in board.warnings
    beside = leaderboard(records)
    assert f"{said} not compared with it" in beside.warnings
    assert text.against(overall(beside, "focal"), beside.metric).removesuffix(" better")[-1] != "*"


def test_a_heat_map_shows_no_score_where_a_difference_is_missing() -> None:
    board = leaderboard(
        [*over_seeds(A, "erm", ERM), *over_seeds(A, "focal", BETTER), *over_seeds(B, "focal", ERM)]
    )
    (found,) = heat_maps([Charts(board)])
    tasks, cells = found.tasks, dict(found.rows)["focal"]
    shown = {task: cell.shown for task, cell in zip(tasks, cells, strict=True)}
    assert shown == {MEAN: "+10.0*", A: "+10.0", B: "?"}
    assert "70.0" in next(cell.title for task, cell in zip(tasks, cells, strict=True) if task == B)
    assert "? is where there is nothing to compare with" in found.about
    (whole,) = heat_maps([Charts(leaderboard(over_seeds(A, "erm", ERM) + over_seeds(A, "focal", BETTER)))])
    assert "?" not in whole.about


@pytest.mark.parametrize("style", ["terminal", "markdown"])
def test_the_star_is_in_every_format(style: str) -> None:
    focal = [record for task in (A, B) for record in over_seeds(task, "focal", BETTER)]
    board = leaderboard([*over_seeds(A, "erm", ERM), *focal])
    assert "+10.0 ± " in render(board, style)
    assert any("focal" in line and "*" in line for line in render(board, style).splitlines())
