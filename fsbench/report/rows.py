"""The rows of a leaderboard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from fsbench.report.baselines import Against
from fsbench.stats import Estimate

Absence = Literal["no value", "failed", "skipped", "not run"]
OVERALL = "overall"
"""The task of a row over all tasks."""


@dataclass(frozen=True)
class Saved:
    """How many times as many labels the baseline needs to reach a strategy's score (`report.labels`).

    `low` and `high` are the ends of the 95 % interval, None with too few splits. `beyond` says that a score
    is "above" or "below" what the baseline reaches with the numbers of labels that were measured; the value
    is then that at the end of this range: the true one is larger, or smaller. "both" can only occur over
    several tasks. `ends_beyond` says the same of the ends of the interval. `labels` is the number of labels
    per class on one task, None over several; `tasks` is the number of tasks that it was read off.
    """

    times: float
    low: float | None
    high: float | None
    beyond: str = ""
    labels: float | None = None
    tasks: int = 1
    ends_beyond: str = ""


@dataclass(frozen=True)
class Row:
    """A strategy on one task, or over all tasks (`task` is "overall").

    `score` is the metric over split seeds. `difference` is the score minus the baseline's in the same trials;
    `p` is its p-value, adjusted for all comparisons of the leaderboard, and `verdict` is helps, hurts, not
    settled, baseline, none (nothing can be compared), or "withheld: 2 failed" (trials of the strategy or of
    the baseline failed, and the remaining trials may be the easy ones). `done` of `planned` trials (tasks, in
    an overall row) have a score; `ok` trials succeeded, with a value of the metric or without. A row is
    `complete` if every planned trial succeeded, and `matched` if every one of the baseline did on its tasks.
    Only complete rows have a `rank` and, overall, a score; the
    overall difference is over the tasks that were done. `lost` says that there is no difference because
    trials of either failed or have no value. `seconds` is the median per trial, `cost` the median of the
    ratios to the baseline's seconds in the same trials on the same device. `against` compares the strategy
    with the best baseline, if the leaderboard has several. `train_accuracy` (the mean) and `peak_memory` (the
    median, in bytes) are those of one task and None overall, and so are the means of `source_before` and
    `source_after`. `unstable` says what is wrong with a mean of the scores, if they are in two clusters.
    `split_deviation` and `init_deviation` are the standard deviations of scores between splits and between
    the init seeds of a split, None where they are unknown and overall. `saved` compares with the baseline's
    learning curve, where tasks differ in the number of labels.
    """

    task: str
    recipe: str
    strategy: str
    uses: tuple[str, ...]
    score: Estimate | None
    difference: Estimate | None
    done: int
    planned: int
    failed: int
    skipped: int
    seconds: float | None
    complete: bool
    matched: bool = True
    ok: int = 0
    lost: bool = False
    cost: float | None = None
    train_accuracy: float | None = None
    source_before: float | None = None
    source_after: float | None = None
    peak_memory: float | None = None
    full_spec: str = ""
    rank: int | None = None
    p: float | None = None
    verdict: str = "none"
    against: Against | None = None
    unstable: str = ""
    split_deviation: float | None = None
    init_deviation: float | None = None
    saved: Saved | None = None

    @property
    def absence(self) -> Absence:
        """What happened to the trials of a row without a score in any of them."""
        if self.ok:
            return "no value"
        return "failed" if self.failed else "skipped" if self.skipped else "not run"

    @property
    def compared(self) -> bool:
        """Whether it counts as a comparison with the baseline: where the difference is lost, too."""
        return self.difference is not None or self.lost

    def to_dict(self) -> dict[str, Any]:
        """Plain values for machines, in the units of the records (accuracies in [0, 1])."""
        against = self.against or Against("", None, None, "none")
        return {
            "task": self.task,
            "recipe": self.recipe,
            "rank": self.rank,
            "strategy": self.strategy,
            "uses": " ".join(self.uses),
            "score": rounded(self.score.mean if self.score else None),
            "score_half_width": rounded(self.score.half_width if self.score else None),
            "score_low": rounded(self.score.low if self.score else None),
            "score_high": rounded(self.score.high if self.score else None),
            "difference": rounded(self.difference.mean if self.difference else None),
            "difference_half_width": rounded(self.difference.half_width if self.difference else None),
            "difference_low": rounded(self.difference.low if self.difference else None),
            "difference_high": rounded(self.difference.high if self.difference else None),
            "p_adjusted": rounded(self.p),
            "verdict": self.verdict,
            "best_baseline": against.baseline,
            "baseline_difference": rounded(against.difference.mean if against.difference else None),
            "baseline_half_width": rounded(against.difference.half_width if against.difference else None),
            "baseline_p_adjusted": rounded(against.p),
            "baseline_verdict": against.verdict,
            "labels_times": rounded(self.saved.times if self.saved else None),
            "labels_times_low": rounded(self.saved.low if self.saved else None),
            "labels_times_high": rounded(self.saved.high if self.saved else None),
            "labels_beyond": self.saved.beyond if self.saved else "",
            "labels_ends_beyond": self.saved.ends_beyond if self.saved else "",
            "labels": rounded(self.saved.labels if self.saved else None),
            "unstable": self.unstable,
            "split_deviation": rounded(self.split_deviation),
            "init_deviation": rounded(self.init_deviation),
            "split_seeds": self.score.n if self.score else self.difference.n if self.difference else 0,
            "done": self.done,
            "planned": self.planned,
            "complete": self.complete,
            "matched": self.matched,
            "failed": self.failed,
            "skipped": self.skipped,
            "seconds": rounded(self.seconds),
            "cost": rounded(self.cost),
            "train_accuracy": rounded(self.train_accuracy),
            "source_before": rounded(self.source_before),
            "source_after": rounded(self.source_after),
            "peak_memory": None if self.peak_memory is None else round(self.peak_memory),
            "full_spec": self.full_spec,
        }


def rounded(value: float | None) -> float | None:
    """Round to nine decimals, which are the same on every machine."""
    return None if value is None else round(value, 9)


EMPTY = Row("", "", "", (), None, None, 0, 0, 0, 0, None, False)
"""A row without a result."""
