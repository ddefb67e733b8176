"""The data of every chart, computed once; pictures and pages only draw it.

Each module takes a leaderboard and returns dataclasses of plain values in the units of the records.
"""

from __future__ import annotations

from fsbench.report.charts.costs import Priced
from fsbench.report.charts.fits import Fit
from fsbench.report.charts.gains import Cell, Gains
from fsbench.report.charts.learning import Curves, Line, Point
from fsbench.report.charts.of_board import Charts
from fsbench.report.charts.predicted import Bins, Predicted
from fsbench.report.charts.ranks import Ranks
from fsbench.report.charts.transfer import Forgotten, SourceGain

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
]
