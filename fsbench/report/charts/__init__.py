"""The data of every chart, computed once; pictures and pages only draw it.

Each function takes a leaderboard and returns dataclasses of plain values in the units of the records.
"""

from __future__ import annotations

from fsbench.report.charts.costs import Priced, costs
from fsbench.report.charts.fits import Fit, fits
from fsbench.report.charts.gains import Cell, Gains, gains
from fsbench.report.charts.learning import Curves, Line, Point, curves
from fsbench.report.charts.of_board import Charts
from fsbench.report.charts.predicted import Bins, Predicted, predicted, predicted_on
from fsbench.report.charts.ranks import Ranks, ranks
from fsbench.report.charts.transfer import Forgotten, SourceGain, forgotten, source_gains

__all__ = [
    "Bins",
    "Cell",
    "Charts",
    "Curves",
    "Fit",
    "Forgotten",
    "Gains",
    "Line",
    "Point",
    "Predicted",
    "Priced",
    "Ranks",
    "SourceGain",
    "costs",
    "curves",
    "fits",
    "forgotten",
    "gains",
    "predicted",
    "predicted_on",
    "ranks",
    "source_gains",
]
