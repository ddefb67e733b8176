"""From the trials of a search to an advice: what to use, what is as good, what more labels would buy."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from fsbench.advising.advice import Advice, Alternative
from fsbench.advising.checking import Checked, curve_of, majority
from fsbench.advising.halving import Halving
from fsbench.advising.more_labels import FRACTIONS, Gain, further, gain_of
from fsbench.advising.trials import Place, Trials
from fsbench.composition import BASELINE
from fsbench.datasets.known import dataset_info
from fsbench.errors import FsbenchError, UsageError
from fsbench.models import SavedModel
from fsbench.report.leaderboard import Leaderboard, leaderboard
from fsbench.report.pairs import compare
from fsbench.report.recommendation import by_topic
from fsbench.results import Results
from fsbench.tasks.expressions import Task

REPORT, MODEL, FACTS = "report.html", "model", "advice.json"
_CHEAPER = 0.5
# Splits that chose nothing: the best score on those that did is too good, and so would be the curve's rise.
_CURVE_SPLITS = range(1000, 1005)


class Fit(Protocol):
    """Fits a strategy on all labels and saves it; `estimate` is for the card of the model."""

    def __call__(self, strategy: str, *, estimate: Mapping[str, Any] | None) -> SavedModel:
        """Fit it."""
        ...


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
    def labels(self) -> int:
        """The number of all labels."""
        return dataset_info(self.task.protocol.datasets[0]).n

    @property
    def model_seconds(self) -> float:
        """About how long a fit on all labels takes, with the fits by which it is calibrated."""
        return self.trials.model_seconds(self.trials.records[Place(self.task.text, 0, self.ranked[0])])

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
    fit: Fit | None,
    tell: Callable[[str], object],
) -> Advice:
    """The advice, whose report, model and facts are written into a folder; no model without `fit`."""
    use, metric = found.ranked[0], found.trials.metric.name
    tell(f"learning curve of {use}")
    gain = _more_labels(found, use, found.model_seconds if fit else 0.0)
    advice = _advice(found, use, gain, budget, longer)
    tell("report")
    advice = replace(advice, report=found.results.report(output / REPORT, metric=metric))
    if fit is not None:
        tell(f"{use} on all {advice.labels} labels, for the model")
        advice = replace(advice, **_model(found, advice, fit))
    advice = replace(advice, seconds=budget - found.trials.deadline.left)
    _write(output / FACTS, advice.to_json() + "\n")
    return advice


def _advice(found: Found, use: str, gain: Gain | None, budget: float, longer: float | None) -> Advice:
    task, trials = found.task, found.trials
    board = leaderboard(found.results.columns(trials.metric.name), trials.metric.name)
    plain = next((row for row in board.rows if row.strategy == BASELINE and row.score), None)
    record = trials.records[Place(task.text, 0, use)]
    return Advice(
        use=use,
        task=task.text,
        metric=trials.metric,
        labels=found.labels,
        trained=record.n_train,
        tested=record.n_test,
        rounds=found.halving.rounds,
        tried=len({place.strategy for place in trials.records if place.task == task.text}),
        checked=found.checked,
        plain=None if plain is None else plain.score,
        chance=majority(task, range(found.halving.rounds[-1]), trials.metric),
        alternative=_alternative(board, use, found.ranked),
        gain=gain,
        uses=record.uses,
        hurts=tuple(by_topic(board).get("hurts", ())),
        left_out={reason: tuple(names) for reason, names in found.left_out.items()},
        seconds=budget - trials.deadline.left,
        budget=budget,
        longer=longer,
    )


def _model(found: Found, advice: Advice, fit: Fit) -> dict[str, Any]:
    """The path of the model, or why there is none."""
    deadline = found.trials.deadline
    later = f"`fsbench fit --strategy {shlex.quote(advice.use)}` with the same data fits it"
    if deadline.left < found.model_seconds / 2:
        return {"no_model": f"not enough time; {later}"}
    try:
        with deadline.watched():
            return {"model": fit(advice.use, estimate=_for_the_card(advice)).folder}
    except KeyboardInterrupt:
        if not deadline.over:
            raise
        return {"no_model": f"not enough time; {later}"}
    except FsbenchError as error:
        return {"no_model": str(error)}


def _for_the_card(advice: Advice) -> dict[str, Any] | None:
    """What is known about the quality of a model."""
    if advice.checked is None:
        return None
    score, failed = advice.checked.score, advice.checked.failed
    how = f"nested splits: the search repeated within {len(advice.checked.chosen)} training parts"
    how += f"; what it chose failed in {failed}, where {BASELINE} counts" if failed else ""
    return {
        "metric": advice.metric.name,
        "mean": score.mean,
        "low": score.low,
        "high": score.high,
        "labels": advice.trained,
        "how": how,
    }


def _write(path: Path, content: str) -> None:
    try:
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}; name another folder") from None


def _alternative(board: Leaderboard, use: str, ranked: Sequence[str]) -> Alternative | None:
    """The best strategy of the last round at half the cost or less that is equivalent, or may be as good.

    It may be if its difference is not settled, and the interval of that includes 0.
    """
    took = {row.strategy: row.seconds for row in board.rows if row.seconds}
    for each in ranked:
        cost = took[each] / took[use] if each in took and use in took else 1.0
        pair = compare(board, each, use)[-1] if each != use and cost <= _CHEAPER else None
        if pair is None or pair.difference.low is None or pair.difference.high is None:
            continue
        may_be = pair.verdict == "not settled" and pair.difference.low <= 0 <= pair.difference.high
        if may_be or pair.verdict == "equivalent":
            return Alternative(each, pair.difference, cost, pair.verdict == "equivalent")
    return None


def _more_labels(found: Found, use: str, reserve: float) -> Gain | None:
    """What further labels would add; None if there are too few, or too little time but for the reserve."""
    texts = [replace(found.task.protocol, train=share).text for share in FRACTIONS]  # type: ignore[call-arg]
    trials = found.trials
    places = [[Place(text, split, use) for text in texts] for split in _CURVE_SPLITS]
    one = trials.seconds_of([Place(found.task.text, 0, use)])
    if trials.start + one * len(places) * len(texts) + reserve > trials.deadline.left:
        return None
    if not trials.get(place for split in places for place in split):
        return None
    records = [[trials.records[place] for place in split] for split in places]
    if any(trials.metric.name not in each.metrics for split in records for each in split):
        return None
    more = further(found.labels, records[0][-1].n_train)
    if more < 1 or len({each.n_train for each in records[0]}) < len(FRACTIONS):
        return None
    return gain_of(curve_of(records, found.results.evidence, trials.metric), found.labels, more)
