"""The search for what to use on somebody's own data, and its check by nested splits, within a time.

The search is a successive halving over splits of `holdout`. Its best score is the best of many, and so too
good. How good a choice is that is made so is measured by the same search within the training part of a split:
what it chooses is tested on the test part of that split, which the search has not seen.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fsbench.advising.advice import FAILED, NO_TIME, Advice
from fsbench.advising.affording import SIZES, Size, Speed, affordable, whole_seconds
from fsbench.advising.checking import Checked, check
from fsbench.advising.concluding import MODEL, Found, conclude
from fsbench.advising.halving import Halving
from fsbench.advising.sums import promising
from fsbench.advising.trials import Place, Trials, seconds
from fsbench.composition import BASELINE
from fsbench.deadline import Deadline, in_seconds
from fsbench.errors import UsageError
from fsbench.execute import MakeExecutor, local
from fsbench.families import CORE
from fsbench.files import as_path
from fsbench.metrics import DEFAULT_METRIC, get_metric
from fsbench.models import refit
from fsbench.progress import Observer
from fsbench.registry import Registry, get_registry
from fsbench.request import Strategies, joined_specs, read_data
from fsbench.results import Results
from fsbench.runner import run
from fsbench.running import FEATURES
from fsbench.same_data import SameData
from fsbench.store import Store
from fsbench.tasks.expressions import Task, named_datasets, parse_tasks
from fsbench.tasks.splits import draw_split
from fsbench.tasks.suites import ad_hoc
from fsbench.words import duration, plural, roughly

if TYPE_CHECKING:
    from fsbench.own import OwnData, Reading

DEFAULT_OUTPUT = "advice"
RESULTS = "results"
_FIRST_ROUND = 0.25
_SEARCHING = 0.85
_BATCHES = (3, 5, 10)


def advise(
    data: str | Path | OwnData,
    budget: float | str,
    *,
    plugins: Strategies = "all",
    metric: str = DEFAULT_METRIC,
    output: str | Path = DEFAULT_OUTPUT,
    model: bool = True,
    jobs: int | None = None,
    device: str = "auto",
    timeout: float | None = None,
    observer: Observer | None = None,
    tell: Callable[[str], object] = lambda line: None,
    executor: MakeExecutor = local,
    clock: Callable[[], float] = time.monotonic,
) -> Advice:
    """Find out what to use on the user's own data, within about a budget, and fit it on all labels.

    `budget` is a time in seconds, or a text such as `10m`. All trials are stored in the folder `output`,
    where the same call continues with another budget; the report and, with `model`, the model are written
    there too. `metric` decides what is best. `plugins`, `jobs`, `device`, `timeout`, `observer` and
    `executor` are as for `fsbench.run`. `tell` hears what is done next. `clock` gives the time in seconds.

    Raises UsageError for a budget that is not positive or too small for this data, for two domains, for data
    with a test part of its own, and for a folder with advice on other data; KeyboardInterrupt at Ctrl-C; and
    whatever `fsbench.run` raises.
    """
    budget = in_seconds(budget) if isinstance(budget, str) else budget
    if not 0 < budget < math.inf:
        raise UsageError(f"the budget is {budget:g} s; expected more than 0, and finite")
    chosen, observer, output = get_metric(metric), observer or Observer(), as_path("output", output)
    deadline = Deadline(observer, budget, clock)
    reading = read_data(data, None, observer)
    folder, task = output / RESULTS, _task(reading)
    with Store(folder) as store:
        stored = store.records()
        _refuse_other_data(output, {each.task for each in stored}, reading.dataset.info.text)
        same = SameData(ad_hoc(task.text), store.fingerprints(stored), store.path)
        same.check_own(reading.dataset.info.text)
        store.keep_own([reading.dataset.info])
        place = store.path
    run_some = functools.partial(
        run, results=folder, jobs=jobs, device=device, timeout=timeout, executor=executor
    )
    before = {Place(each.task, each.split_seed, each.spec): seconds(each) for each in stored}
    trials = Trials(run_some, deadline, chosen, observer, clock, before)
    search = _Search(get_registry(), task, trials, budget, tell)
    halving = search.search(plugins)
    halving, checked = search.check(halving, place)
    found = Found(task, halving, trials, search.left_out, checked, place)
    fit = functools.partial(
        refit,
        data=data,
        output=output / MODEL,
        device=device,
        jobs=jobs,
        timeout=timeout,
        features=folder / FEATURES,
        observer=_Heard(),
        executor=executor,
    )
    return conclude(found, budget, search.longer, output, fit if model else None, tell)


def _refuse_other_data(output: Path, tasks: Collection[str], name: str) -> None:
    """Raise UsageError if a folder has results on data of another name, beside which its advice would lie."""
    named = [named_datasets(task) for task in sorted(tasks)]
    if other := next((each for each in named if name not in each), None):
        raise UsageError(
            f"{output} has advice on other data ({', '.join(other)}, not {name}): name another folder with "
            "--output"
        )


class _Heard(Observer):
    """Hears what was read, which has been told before."""

    def read(self, facts: Sequence[str], remarks: Sequence[str]) -> None:
        """Say nothing."""


def _task(reading: Reading) -> Task:
    """The task whose splits strategies are compared on: all labels, none of them set aside for validation.

    Raises UsageError for two domains and for data with a test part of its own, TaskError if a class has too
    few samples for splits within splits.
    """
    info = reading.dataset.info
    if info.test_counts:
        raise UsageError(
            "advice divides the data itself, and this data has a test part, on which nothing may be chosen: "
            "give the training part alone, then test the model on the other part (`fsbench predict`)"
        )
    if reading.target is not None:
        raise UsageError(
            "advice is for one domain; compare strategies on two with `fsbench run --data ...` and the same "
            "options"
        )
    options = "" if info.val_counts else ", val=0"
    options += ", unlabeled=all" if info.num_unlabeled else ""
    (task,) = parse_tasks(f"holdout({info.text}{options})")
    draw_split(within(task, 0), 0)
    return task


def within(task: Task, split: int) -> Task:
    """The task that divides the training part of a split of another task."""
    protocol = replace(task.protocol, within=split)  # type: ignore[call-arg]
    return Task(protocol.text, protocol.info(), protocol)


@dataclass
class _Search:
    """The search on all labels, and its checks, with the trials of `trials`.

    `left_out` has the strategies that are not in the search, by the reason; `longer` is about how many
    seconds all of them would take, None if all are in it.
    """

    registry: Registry
    task: Task
    trials: Trials
    budget: float
    tell: Callable[[str], object]
    left_out: dict[str, list[str]] = field(default_factory=dict)
    longer: float | None = None

    def search(self, plugins: Strategies) -> Halving:
        """Run the search as far as time allows; returns it with the rounds that are over."""
        candidates = self._candidates(plugins)
        baselines = frozenset(each.text for each in self.registry.baselines() if each.text != BASELINE)
        self.tell(f"round 1: {plural(len(candidates), 'strategy')} on one split")
        costs = self._first_round(candidates)
        size = self._size(candidates, costs)
        costs = {name: cost for name, cost in costs.items() if name not in self._late()}
        sums = functools.lru_cache(lambda best: promising(self.registry, best, self.task.info))
        kept = (frozenset({BASELINE}), baselines)
        halving = Halving(tuple(costs), kept, size.rounds, lambda best: sums(tuple(best)))
        self.tell(f"search: {plural(len(costs), 'strategy')}, the best of them on {size.rounds[-1]} splits")
        self.trials.search(halving, [self.task.text])
        self._note_failures()
        scores = self.trials.scores(self.task.text)
        while halving.wanted(scores):
            halving = replace(halving, rounds=halving.rounds[:-1])
        return halving

    def check(self, halving: Halving, store: Path) -> tuple[Halving, Checked | None]:
        """Repeat the search within the training part of as many splits as time allows, and test its choices.

        If there is no time for three, the search ends a round earlier, here and on all labels. Returns the
        search with the rounds that count, and the check, None if there is no time for any.
        """
        left = self.trials.deadline.left
        while len(halving.rounds) > 1 and self._check_seconds(halving, range(_BATCHES[0])) > left:
            halving = replace(halving, rounds=halving.rounds[:-1])
        done: list[int] = []
        for count in _BATCHES:
            splits = range(len(done), count)
            if self._check_seconds(halving, splits) > self.trials.deadline.left:
                break
            self.tell(f"check: the same search within the training part of {plural(count, 'split')}")
            done += self._check(halving, splits)
            if len(done) < count:
                break
        self._note_failures()
        if len(done) < _BATCHES[0]:
            return halving, None
        records = self.trials.records
        chosen = {split: records[self._choice(halving, split)] for split in done}
        plain = {split: records[Place(self.task.text, split, BASELINE)] for split in done}
        return halving, check(chosen, plain, Results((), store).evidence, self.trials.metric.name)

    def _check(self, halving: Halving, splits: Sequence[int]) -> list[int]:
        """Run some checks; returns those that are over."""
        tasks = {within(self.task, split).text: split for split in splits}
        over = [tasks[text] for text in self.trials.search(halving, list(tasks))]
        over = [split for split in over if halving.ranked(self._scores_within(split))]
        finals = {
            split: [self._choice(halving, split), Place(self.task.text, split, BASELINE)] for split in over
        }
        self.trials.get(place for places in finals.values() for place in places)
        return [split for split in over if all(place in self.trials.records for place in finals[split])]

    def _choice(self, halving: Halving, split: int) -> Place:
        """What the search within a split chose, on that split."""
        return Place(self.task.text, split, halving.ranked(self._scores_within(split))[0])

    def _scores_within(self, split: int) -> dict[tuple[str, int], float | None]:
        return self.trials.scores(within(self.task, split).text)

    def _check_seconds(self, halving: Halving, splits: Sequence[int]) -> float:
        """About how long checks on some splits take, and the last fit, by what the search took."""
        scores, trials = self.trials.scores(self.task.text), self.trials
        field = {each for number in range(len(halving.rounds)) for each in halving.field(scores, number)}
        took = {
            (place.split, place.strategy): seconds(each)
            for place, each in trials.records.items()
            if place.task == self.task.text and place.strategy in field
        }
        work = 0.0
        for text in (within(self.task, split).text for split in splits):
            wanted = (key for key in took if key[0] < halving.rounds[-1])
            work += math.fsum(took[key] for key in wanted if Place(text, *key) not in trials.stored)
        best = trials.records[Place(self.task.text, 0, halving.ranked(scores)[0])]
        starts = trials.start * (len(halving.rounds) + 1) if work else 0.0
        return trials.pace * work + starts + trials.model_seconds(best)

    def _candidates(self, plugins: Strategies) -> list[str]:
        """The strategies that can run: the baselines, then the short list, in case time is short."""
        asked = self.registry.parse(joined_specs(self.registry, plugins))
        asked.sort(key=lambda each: not all(component.in_core for component in each.components))
        every = [*self.registry.parse(BASELINE), *self.registry.baselines(), *asked]
        found = {}
        for each in every:
            if (reason := each.skip(self.task.info)) is None:
                found[each.text] = each
            elif each.text not in self.left_out.get(reason, []):
                self.left_out.setdefault(reason, []).append(each.text)
        return list(found)

    def _first_round(self, candidates: Sequence[str]) -> dict[str, float]:
        """Try all on the first split; returns the seconds that each took, of those with a score."""
        text, records = self.task.text, self.trials.records
        self.trials.get((Place(text, 0, each) for each in candidates), _FIRST_ROUND * self.budget)
        scores, costs = self.trials.scores(text), {}
        for each in candidates:
            if (each, 0) not in scores:
                self.left_out.setdefault(NO_TIME, []).append(each)
            elif scores[each, 0] is not None:
                costs[each] = seconds(records[Place(text, 0, each)])
        self._note_failures()
        return costs

    def _note_failures(self) -> None:
        """List the strategies with a failed trial, or one without a value of the metric."""
        for place, record in self.trials.records.items():
            if place.task == self.task.text and self.trials.metric.name not in record.metrics:
                reason = (record.reason or {}).get("message", "no value of the metric")
                names = self.left_out.setdefault(f"{FAILED}{reason}", [])
                names.extend([place.strategy] if place.strategy not in names else [])

    def _late(self) -> list[str]:
        return self.left_out.get(NO_TIME, [])

    def _size(self, candidates: Sequence[str], costs: dict[str, float]) -> Size:
        """The size of the search that time allows; notes what is left out. Raises UsageError for none."""
        kept = frozenset({BASELINE})
        speed, left = Speed(self.trials.pace, self.trials.start), self.trials.deadline.left
        first = self.task.text, 0
        done = [took for place, took in self.trials.stored.items() if (place.task, place.split) != first]
        time_for = _SEARCHING * left + speed.pace * math.fsum(done)
        found = affordable(costs, kept, time_for, speed) if len(costs) > 1 else None
        missing = len(self._late())
        if found is None and not missing and len(costs) < 2:
            raise UsageError(f"fewer than two strategies have a result on this data ({self._why_not()})")
        whole = whole_seconds(costs, kept, SIZES[-1], speed) / _SEARCHING if costs else 0.0
        whole *= len(candidates) / max(1, len(candidates) - missing)
        longer = self.budget - left + whole
        if found is None:
            raise UsageError(self._too_small(candidates, longer if costs else None))
        size, left_out = found
        if left_out:
            self.left_out.setdefault(NO_TIME, []).extend(left_out)
        self.longer = longer if self._late() else None
        return size

    def _too_small(self, candidates: Sequence[str], longer: float | None) -> str:
        """What to say where not even the smallest search has time; `longer` is the time of the largest."""
        begun = f"the budget of {duration(self.budget)} is too small"
        if longer is None:
            return f"{begun}: no trial ended in the time for the first round; give a few minutes"
        short = " (`core` is a short list)" if len(candidates) > len(self.registry.parse(CORE)) else ""
        enough = roughly(max(longer, 1.5 * self.budget))
        return f"{begun} for this data; give about {enough}, or fewer strategies{short}; what has run is kept"

    def _why_not(self) -> str:
        return "; ".join(f"{', '.join(names)}: {reason}" for reason, names in self.left_out.items())
