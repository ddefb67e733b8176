"""The Vega-Lite specifications of the page, one module for each kind of chart.

Each function takes the charts of the leaderboards (that of untuned results first) and returns a Chart, or
None where there is nothing to draw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fsbench.report.charts import Charts
from fsbench.report.html.chart import Chart
from fsbench.report.html.specs.costs import pareto
from fsbench.report.html.specs.fits import fit
from fsbench.report.html.specs.learning import learning
from fsbench.report.html.specs.predicted import from_predictions
from fsbench.report.html.specs.ranks import critical_difference
from fsbench.report.html.specs.transfer import forgetting, source_gain

_SECTIONS: dict[str, tuple[Callable[[Sequence[Charts]], Chart | list[Chart] | None], ...]] = {
    "curves": (learning,),
    "ranks": (critical_difference,),
    "costs": (pareto,),
    "predictions": (from_predictions,),
    "fits": (fit,),
    "transfer": (source_gain, forgetting),
}


def charts(section: str, boards: Sequence[Charts]) -> list[Chart]:
    """The charts of a section of the page that there is data for."""
    found: list[Chart] = []
    for make in _SECTIONS[section]:
        made = make(boards)
        found += made if isinstance(made, list) else [made] if made else []
    return found
