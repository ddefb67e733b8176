"""From the trials of a search to an advice: what to use, what is as good, what more labels would buy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fsbench.advising.advice import Advice, Alternative
from fsbench.advising.checking import Checked, curve_of, majority
from fsbench.advising.halving import Halving
from fsbench.advising.more_labels import FRACTIONS, Gain, further, gain_of
from fsbench.advising.trials import Place, Trials
from fsbench.composition import BASELINE
from fsbench.datasets.known import dataset_info
from fsbench.report.leaderboard import Leaderboard, leaderboard
from fsbench.report.pairs import compare
from fsbench.report.recommendation import by_topic
from fsbench.results import Results
from fsbench.tasks.expressions import Task

if TYPE_CHECKING:
    from fsbench.own import OwnData

REPORT, MODEL, FACTS = "report.html", "model", "advice.json"
_CHEAPER = 0.5
# Splits that chose nothing: the best score on those that did is too good, and so would be the curve's rise.
_CURVE_SPLITS = range(1000, 1005)


@dataclass(frozen=True)
class Found:
    """What a search found: its task, its course, its trials, what it left out, its check, its store."""

    task: Task
    halving: Halving
    trials: Trials
    left_out: Mapping[str, Sequence[str]]
    checked: Checked | None
    store: Path

    @property
    def ranked(self) -> list[str]:
        """The strategies of the last round, the best first."""
        return self.halving.ranked(self.trials.scores(self.task.text))

    @property
    def results(self) -> Results:
        """The records of the search itself."""
        splits = self.halving.rounds[-1]
        records = [
            record
            for place, record in self.trials.records.items()
            if place.task == self.task.text and place.split < splits
        ]
        return Results(tuple(records), self.store, len(records))


def conclude(
    found: Found,
    budget: float,
    longer: float | None,
    output: Path,
    data: str | Path | OwnData | None,
    tell: Callable[[str], object],
) -> Advice:
    """The advice, whose report and model are written into a folder; no model without `data`."""
    task, trials, use = found.task, found.trials, found.ranked[0]
    tell(f"learning curve of {use}")
    gain = _more_labels(found, use)
    board = leaderboard(found.results.columns(trials.metric.name), trials.metric.name)
    rows = {row.strategy: row for row in board.rows if row.score}
    record = trials.records[Place(task.text, 0, use)]
    splits = range(found.halving.rounds[-1])
    advice = Advice(
        use=use,
        task=task.text,
        metric=trials.metric,
        labels=_labels(found),
        trained=record.n_train,
        tested=record.n_test,
        rounds=found.halving.rounds,
        tried=len({place.strategy for place in trials.records if place.task == task.text}),
        checked=found.checked,
        plain=rows[BASELINE].score if BASELINE in rows else None,
        chance=majority(task, splits, trials.metric),
        alternative=_alternative(board, use, found.ranked),
        gain=gain,
        uses=record.uses,
        hurts=tuple(by_topic(board).get("hurts", ())),
        left_out={reason: tuple(names) for reason, names in found.left_out.items()},
        seconds=budget - trials.deadline.left,
        budget=budget,
        longer=longer,
    )
    tell("report")
    report = found.results.report(output / REPORT, metric=trials.metric.name)
    advice = replace(advice, report=report, seconds=budget - trials.deadline.left)
    (output / FACTS).write_text(advice.to_json() + "\n", encoding="utf-8")
    return advice


def _labels(found: Found) -> int:
    """The number of all labels."""
    return dataset_info(found.task.protocol.datasets[0]).n


def _alternative(board: Leaderboard, use: str, ranked: Sequence[str]) -> Alternative | None:
    """The best strategy of the last round at half the cost or less that is as good within noise."""
    seconds = {row.strategy: row.seconds for row in board.rows if row.seconds}
    for each in ranked:
        cost = seconds[each] / seconds[use] if each in seconds and use in seconds else 1.0
        pair = compare(board, each, use)[-1] if each != use and cost <= _CHEAPER else None
        if pair and pair.verdict in ("not settled", "equivalent") and pair.difference.low is not None:
            return Alternative(each, pair.difference, cost)
    return None


def _more_labels(found: Found, use: str) -> Gain | None:
    """What further labels would add; None if there is no time to find out, or too few labels."""
    texts = [replace(found.task.protocol, train=share).text for share in FRACTIONS]  # type: ignore[call-arg]
    trials = found.trials
    places = [[Place(text, split, use) for text in texts] for split in _CURVE_SPLITS]
    one = trials.seconds_of([Place(found.task.text, 0, use)])
    if trials.start + one * len(places) * len(texts) > trials.deadline.left:
        return None
    if not trials.get(place for split in places for place in split):
        return None
    records = [[trials.records[place] for place in split] for split in places]
    if any(trials.metric.name not in each.metrics for split in records for each in split):
        return None
    more = further(_labels(found), records[0][-1].n_train)
    if more < 1 or len({each.n_train for each in records[0]}) < len(FRACTIONS):
        return None
    return gain_of(curve_of(records, found.results.evidence, trials.metric), _labels(found), more)
