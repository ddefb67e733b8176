"""What figures and heat maps show: marks, colours, names and ticks."""

from __future__ import annotations

from dataclasses import replace

from matplotlib.figure import Figure
from records import over_seeds, realistic

from fsbench.metrics import get_metric
from fsbench.report import text
from fsbench.report.charts import Charts, Priced
from fsbench.report.html.heatmap import heat_maps
from fsbench.report.html.specs.learning import learning
from fsbench.report.leaderboard import leaderboard
from fsbench.report.plots import costs
from fsbench.report.plots.figures import figures
from fsbench.report.plots.gains import _colour, shown
from fsbench.report.plots.style import styled


def test_heat_maps_mark_a_mean_over_some_of_the_tasks():
    board = leaderboard(realistic())
    charts = Charts(board)
    (drawn,) = (each for each in figures(charts) if each.name == "gains")
    (field,) = heat_maps([charts])
    means = {name: fields[0].shown for name, fields in field.rows}
    partial = [row for row in board.overall if row.difference and not row.complete]
    assert 0 < len(partial) < len(board.overall) - 1
    for row, cell in zip(board.overall, charts.gains.overall, strict=True):
        if cell.gain and cell.state != "baseline":
            wanted = text.number(cell.gain.mean, board.metric, sign=True) + "*" * (row in partial)
            assert means[row.strategy] == shown(cell, board.metric) == wanted
    assert field.tasks[0] == "mean over its tasks"
    assert "mean over its tasks" in drawn.save("svg").decode()
    assert "* marks" in field.about
    assert "* on some tasks" in drawn.caption
    assert "points of balanced accuracy" in drawn.caption


def test_only_settled_gains_are_in_colour_in_a_figure():
    records = over_seeds("kshot(wine, k=5)", "erm", [0.7, 0.72, 0.68])
    records += over_seeds("kshot(wine, k=5)", "wild", [0.99, 0.60, 0.95])
    records += over_seeds("kshot(wine, k=5)", "good", [0.8, 0.821, 0.779])
    found = Charts(leaderboard(records)).gains
    colours = {cell.state: _colour(cell, 0.2, True) for (cell,) in found.cells}
    assert colours["not settled"] == ("#888888", 0.0)
    assert colours["helps"][0] == "#0072B2"
    assert colours["helps"][1] >= 0.35


def test_curves_have_two_bands_and_one_entry_for_all_others():
    names = ("erm", *(f"s{number}" for number in range(12)))
    tasks = [f"kshot(wine, k={k})" for k in (2, 5)]
    records = [each for t in tasks for name in names for each in over_seeds(t, name, [0.7, 0.71, 0.72])]
    (figure, *_) = figures(Charts(leaderboard(records)))
    axes = Figure().subplots()
    figure.draw(axes)
    assert len(axes.collections) == 2
    shown = [each.get_text() for each in axes.get_legend().get_texts()]
    assert (len(shown), shown.count("others")) == (9, 1)


def test_the_first_curves_of_a_page_are_those_with_the_largest_gain():
    records = []
    for data, gain in (("digits", 0.0), ("wine", 0.2)):
        for task in (f"kshot({data}, k={k})" for k in (2, 5)):
            records += over_seeds(task, "erm", [0.6, 0.61, 0.62, 0.6, 0.61])
            records += over_seeds(
                task, "mine", [0.6 + gain, 0.611 + gain, 0.62 + gain, 0.6 + gain, 0.61 + gain]
            )
    assert next(iter(learning([Charts(leaderboard(records))]).groups)) == "kshot(wine)"


def test_a_figure_of_costs_has_plain_ticks_and_no_name_on_the_axis():
    shown = [
        Priced(f"a_strategy_{i}", (), 0.14 * 1.6**i, i % 3 - 1, None, None, "helps", True, True)
        for i in range(8)
    ]
    shown += [replace(shown[0], gain=gain) for gain in (-0.8, -0.9)]
    with styled():
        ax = Figure(figsize=(7.0, 3.8), layout="constrained").subplots()
        costs.draw(shown, get_metric("balanced_accuracy"), ax)
        ax.figure.draw_without_rendering()
        labels = [each.get_text() for each in ax.get_xticklabels(which="both") if each.get_text()]
        assert {"0.2", "0.5", "1", "2"} <= set(labels) <= {"0.05", "0.1", "0.2", "0.5", "1", "2", "5", "10"}
        assert len(ax.texts) > 4
        assert all(each.get_window_extent().x0 >= ax.bbox.x0 for each in ax.texts)
