"""Runs split seeds where nothing is settled yet, look by look, until all is settled or time is up.

Each look judges comparisons after a number of split seeds that is fixed beforehand: the first number, and
then twice as many each time. `fsbench.looks` has the rule by which verdicts stay honest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fsbench.composition import BASELINE
from fsbench.deadline import Deadline
from fsbench.errors import UsageError
from fsbench.files import as_path
from fsbench.looks import Key, Look, spent, summed_up
from fsbench.metrics import DEFAULT_METRIC, get_metric
from fsbench.progress import Observer
from fsbench.record import Trial
from fsbench.report.leaderboard import leaderboard
from fsbench.report.looking import look_at, still_open
from fsbench.results import Results
from fsbench.runner import DEFAULT_RESULTS, run
from fsbench.store import Store


@dataclass(frozen=True)
class Settled:
    """How a run until settled ended: its looks, earlier ones included, and the results of the last part.

    `unsettled` is the number of comparisons on single tasks that are open. `late` says that the budget ended
    the run.
    """

    looks: tuple[Look, ...]
    results: Results | None
    unsettled: int
    late: bool


def run_until_settled(
    *args: Any,
    budget: float,
    metric: str = DEFAULT_METRIC,
    margin: float | None = None,
    seeds: int | None = None,
    results: str | Path = DEFAULT_RESULTS,
    observer: Observer | None = None,
    tell: Callable[[Look, int], object] = lambda look, unsettled: None,
    **options: Any,
) -> Settled:
    """Run as `fsbench.run`, and again with twice the split seeds wherever a comparison is not settled.

    `budget` is the time in seconds; trials that run when it is over are stopped. `seeds` is the number of the
    first look, by default that of the suite. The looks are stored in the results folder, where the same
    command continues from the last one. Comparisons that no look knows, such as those of another strategy,
    join the next look; if nothing else is open, they begin with `seeds`. `tell` hears of each look, with the
    number of open comparisons. Raises UsageError for a budget that is not positive, fewer than three seeds or
    a search, and whatever `fsbench.run` raises.
    """
    if not 0 < budget < math.inf:
        raise UsageError(f"the budget is {budget} s; expected more than 0, and finite")
    if seeds is not None and (not isinstance(seeds, int) or seeds < 3):
        raise UsageError(
            f"seeds={seeds}: looks start with a number of split seeds of at least 3; give --seeds 3 or more"
        )
    chosen, timer = get_metric(metric), Deadline(observer or Observer(), budget)
    metric, margin = chosen.name, chosen.margin if margin is None else margin
    looks = _stored(results, metric, margin)
    found: Results | None = None
    while found is None or still_open(looks):
        wanted = _Wanted(looks)
        now = looks[-1].seeds * 2 if still_open(looks) else seeds
        try:
            with timer.watched():
                found = run(
                    *args,
                    seeds=now,
                    results=results,
                    observer=timer,
                    only=wanted,
                    error=spent(len(looks) + 1),
                    **options,
                )
        except KeyboardInterrupt:
            if not timer.over:
                raise
            break
        if not wanted.comparisons or (found.interrupted and found.done < found.total):
            break
        timer.doing("judging the comparisons")
        board = leaderboard(found.columns(metric), metric, baseline=found.baseline, margin=margin)
        look = look_at(board, looks, now or board.split_seeds[1])
        with Store(results) as store:
            store.add_look(look)
        looks = (*looks, look)
        timer.ended()
        tell(look, len(still_open(looks)))
        if not board.comparisons or timer.over:
            break
    return Settled(looks, found, len(still_open(looks)), timer.over)


class _Wanted:
    """Which trials the next look needs: those of its `comparisons`, and of ERM and the baselines beside them.

    Its comparisons are those that earlier looks left open, and those that no look knows.
    """

    def __init__(self, looks: Sequence[Look]) -> None:
        self.comparisons: set[Key] = set()
        self._settled = summed_up(looks).keys() - still_open(looks)
        self._baselines = looks[-1].baselines if looks else ()

    def __call__(self, reasons: Mapping[Trial, str | None]) -> list[Trial]:
        """Those of all trials, given with the reason not to run each, or None.

        Beside those, all trials of the same splits that have a reason. Raises UsageError if a trial begins
        with a search.
        """
        trials = [trial for trial, reason in reasons.items() if reason is None]
        if any(trial.tuning for trial in trials):
            raise UsageError(
                "--until-settled and a search (--tune, tuned rows) are both given; give one of them"
            )
        keys = {trial: (trial.task, trial.recipe, trial.full_spec or trial.spec) for trial in trials}
        compared = {key for trial, key in keys.items() if trial.spec != BASELINE}
        self.comparisons = compared - self._settled
        beside = {(task, recipe) for task, recipe, _ in self.comparisons}
        wanted = [
            trial
            for trial, key in keys.items()
            if key in self.comparisons or self._beside(trial, key, beside)
        ]
        splits = {_split_of(trial) for trial in wanted}
        skipped = (t for t, reason in reasons.items() if reason is not None and _split_of(t) in splits)
        return [*wanted, *skipped]

    def _beside(self, trial: Trial, key: Key, tasks: Collection[tuple[str, str]]) -> bool:
        return key[:2] in tasks and (trial.spec == BASELINE or key[2] in self._baselines)


def _split_of(trial: Trial) -> tuple[str, str, int, int]:
    return trial.task, trial.recipe, trial.split_seed, trial.init_seed


def _in_hundredths(margin: float) -> str:
    """A margin as `--margin` takes it."""
    return f"{100 * margin:g}"


def _stored(results: str | Path, metric: str, margin: float) -> tuple[Look, ...]:
    """The looks of a results folder by a metric. Raises UsageError if they had another margin."""
    if not as_path("results", results).exists():
        return ()
    with Store(results) as store:
        looks: Sequence[Look] = [look for look in store.looks() if look.metric == metric]
    if looks and looks[0].margin != margin:
        raise UsageError(
            f"the looks in {results} have a margin of {_in_hundredths(looks[0].margin)}, not "
            f"{_in_hundredths(margin)}; keep to it, or name another results folder"
        )
    return tuple(looks)
