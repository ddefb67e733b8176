"""All charts of a leaderboard."""

from __future__ import annotations

from functools import cached_property

from fsbench.report.charts.costs import Priced, costs
from fsbench.report.charts.fits import Fit, fits
from fsbench.report.charts.gains import Gains, gains
from fsbench.report.charts.learning import Curves, curves
from fsbench.report.charts.predicted import Predicted, predicted
from fsbench.report.charts.ranks import Ranks, ranks
from fsbench.report.charts.transfer import Forgotten, SourceGain, forgotten, source_gains
from fsbench.report.leaderboard import Leaderboard


class Charts:
    """The charts of a leaderboard; each is computed when it is first asked for, once for all formats."""

    def __init__(self, board: Leaderboard) -> None:
        self.board = board

    @cached_property
    def curves(self) -> tuple[Curves, ...]:
        """The learning curves."""
        return curves(self.board)

    @cached_property
    def gains(self) -> Gains:
        """The heat map."""
        return gains(self.board)

    @cached_property
    def ranks(self) -> Ranks | None:
        """The mean ranks, None with fewer than two strategies that can be ranked."""
        return ranks(self.board)

    @cached_property
    def costs(self) -> tuple[Priced, ...]:
        """Gain against cost."""
        return costs(self.board)

    @cached_property
    def fits(self) -> tuple[Fit, ...]:
        """Training against test accuracy."""
        return fits(self.board)

    @cached_property
    def predicted(self) -> tuple[Predicted, ...]:
        """Confusion and reliability of each strategy on each task."""
        return predicted(self.board)

    @cached_property
    def forgotten(self) -> tuple[Forgotten, ...]:
        """What of their sources strategies forget."""
        return forgotten(self.board)

    @cached_property
    def source_gains(self) -> tuple[SourceGain, ...]:
        """What strategies gain from each source."""
        return source_gains(self.board)
