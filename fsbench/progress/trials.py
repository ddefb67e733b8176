"""Trials in words."""

from __future__ import annotations

from collections.abc import Iterator

from fsbench.metrics import Metric, number
from fsbench.record import Record, Trial
from fsbench.tuning.tuned import row_name
from fsbench.words import printable


def said(trial: Trial | Record) -> str:
    """A trial in words: `focal on kshot(wine, k=5), split seed 0`, and the init seed unless it is 0."""
    spec = row_name(trial.spec, trial.tuning)
    seed = f", init seed {trial.init_seed}" if trial.init_seed else ""
    return printable(f"{spec} on {trial.task}, split seed {trial.split_seed}{seed}")


def described(record: Record, metric: Metric) -> Iterator[str]:
    """How a trial ended: its status, its score and seconds or the reason, then its notes, a line each."""
    yield f"{record.status}: {said(record)}: {', '.join(_facts(record, metric))}"
    for note in record.notes:
        yield f"  note: {note}"


def _facts(record: Record, metric: Metric) -> Iterator[str]:
    if record.reason:
        yield f"{record.reason.get('kind', '')}: {record.reason.get('message', '')}"
    if (value := record.metrics.get(metric.name)) is not None:
        unit = " %" if metric.percent else ""
        yield f"{metric.title} {number(value, metric)}{unit}"
    if record.status == "ok":
        yield f"{record.seconds_fit:.2f} s to fit and {record.seconds_predict:.2f} s to predict"
