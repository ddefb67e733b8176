"""Whether anything was learnt: scores compared with that of the same prediction for every sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fsbench.metrics import Metric, number
from fsbench.report.entries import Setting
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.names import first_few
from fsbench.report.rows import Row
from fsbench.words import plural

_ERROR = 0.05
_NEVER = 1e-9


def guessed(board: Leaderboard) -> Iterator[str]:
    """A sentence if no strategy is shown to be better than guessing on some tasks.

    Guessing predicts the shares of the classes among the test labels, for every sample: it has the best
    accuracy without a look at the inputs. Each strategy is compared with it by the p-value of its score,
    corrected for the number of strategies (Bonferroni). Only metrics in [0, 1] of which more is better are
    judged; where test labels or intervals are unknown, nothing is said.
    """
    found, settings = [], {setting.label: setting for setting in board.settings}
    for label, rows in board.tasks:
        value = guess(settings[label], board.metric) if label in settings else None
        if value is not None and not _any_better(rows, value):
            found.append((label, value))
    if not found:
        return
    if len(board.tasks) == 1:
        ((_, value),) = found
        yield (
            "Nothing is shown to be better than guessing: the same prediction for every sample scores "
            f"{number(value, board.metric)} %. Check the labels and the inputs, or collect more, before you "
            "choose a strategy."
        )
        return
    yield (
        f"On {len(found)} of {plural(len(board.tasks), 'task')}, nothing is shown to be better than "
        "guessing, the same prediction for every sample: "
        f"{first_few(label for label, _ in found)}."
    )


def guess(setting: Setting, metric: Metric) -> float | None:
    """The mean value of a metric over the splits of a setting if the classes' shares are predicted.

    None if the metric is not one of those judged, or some test labels are unknown.
    """
    known = setting.columns.evidence.drawn
    prints = list(setting.fingerprints.values())
    if not (metric.percent and metric.higher_is_better) or not prints or not set(prints) <= known.keys():
        return None
    values = [metric.function(shares(known[each].test_y), known[each].test_y) for each in prints]
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if len(defined) == len(values) else None


def shares(y: np.ndarray) -> np.ndarray:
    """Logits `[E, M, C]` that predict the share of each class among the labels `[E, M]` of its cell."""
    counts = (y[..., None] == np.arange(y.max() + 1)).mean(1, keepdims=True)
    logits: np.ndarray = np.broadcast_to(np.log(np.maximum(counts, _NEVER)), (*y.shape, counts.shape[-1]))
    return logits


def _any_better(rows: Sequence[Row], value: float) -> bool:
    """Whether a strategy is shown to be above a value, or nothing is known about it."""
    scores = [row.score for row in rows if row.score]
    tested = [score for score in scores if score.tails]
    if not tested:
        return True
    return min(score.p_above(value) for score in tested) * len(tested) < _ERROR
