"""The search of one trial: what is tried in each round, and which configuration is chosen.

Configurations are compared on parts of the labels that are held out (`Protocol.hold_out`), by the mean of the
default metric over the parts, or on unlabelled inputs (`tuning.criteria`). In successive halving (Jamieson &
Talwalkar 2016, "Non-stochastic best arm identification and hyperparameter optimization", AISTATS), all
configurations are tried on the first two folds, and the better half on twice as many. optuna's pruner of that
name is asynchronous: what it keeps depends on which trial ends first. Here the same seeds always give the
same choice.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from fsbench.failure import MESSAGE_LENGTH, Failure
from fsbench.identity import trial_key
from fsbench.jobs import LONGEST_NOTE, Outcome
from fsbench.metrics import DEFAULT_METRIC
from fsbench.recipes.recipe import recipe_text
from fsbench.record import LOST, Trial, Tried
from fsbench.tasks.parts import Part
from fsbench.tuning.samplers import Told
from fsbench.tuning.space import Configuration
from fsbench.words import plural

Draw: TypeAlias = "Callable[[int, Told], Configuration]"

_FIRST = 2
_DIGITS = 9  # so that equal means are equal, whatever the order of their folds
_CUT_SHORT = (*LOST, "TimeOut: ")


@dataclass(frozen=True)
class Try(Trial):
    """A trial on a part of a split: a configuration on what a search compares by, or the final fit.

    `criterion` names what scores its logits; "" is the default metric and the labels of the part.
    """

    part: Part = Part()
    criterion: str = ""


def rounds(folds: int) -> list[int]:
    """The number of folds that a configuration has been tried on after each round."""
    found = [min(_FIRST, folds)]
    while found[-1] < folds:
        found.append(min(2 * found[-1], folds))
    return found


@dataclass
class Search:
    """The search of a trial among `n` configurations, compared on `parts` of its split.

    `draw` makes the configuration of a number; it is told the values of those before it, with their mean
    scores in the first round. The first `at_once` configurations are drawn without, each later one when all
    before it have been through that round. `how` says in words how configurations are compared, `sampler`
    what draws them. `criterion` is that of the tries. `tried` has what came of them, by key.
    """

    trial: Trial
    n: int
    draw: Draw
    parts: Sequence[Part]
    how: str
    at_once: int
    criterion: str = ""
    sampler: str = ""
    configurations: list[Configuration] = field(init=False)
    tried: dict[str, Tried] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.configurations = [self.draw(number, ()) for number in range(min(self.at_once, self.n))]
        self._made: dict[tuple[int, Part], Try] = {}

    @property
    def steps(self) -> int:
        """How many times, at most, tries depend on the results of others, plus one."""
        return max(0, self.n - self.at_once) + len(self._rounds)

    def advance(self, known: Mapping[str, Tried]) -> list[Try]:
        """Take over results as far as they are known; returns the next tries without one.

        There are none when the search is over.
        """
        while True:
            wanted = self._wanted()
            if lacking := [each for each in wanted if each.key not in known]:
                return lacking
            self.tried |= {each.key: known[each.key] for each in wanted}
            if not wanted:
                if self._whole:
                    return []
                self._draw_next()

    @property
    def _rounds(self) -> list[int]:
        return rounds(len(self.parts))

    @property
    def _whole(self) -> bool:
        """Whether every configuration has been drawn."""
        return len(self.configurations) == self.n

    def _draw_next(self) -> None:
        folds = self._rounds[0]
        told = [(each.values, self._mean(each, folds)) for each in self.configurations]
        self.configurations.append(self.draw(len(self.configurations), told))

    def _wanted(self) -> list[Try]:
        """The next tries without a result: the first round of what has been drawn, then the other rounds."""
        for number, folds in enumerate(self._rounds[: None if self._whole else 1]):
            left = self._left(number)
            if self._whole and len(left) == 1:
                break
            tries = [self.on(each, part) for each in left for part in self.parts[:folds]]
            if new := [each for each in tries if each.key not in self.tried]:
                return new
        return []

    def on(self, configuration: Configuration, part: Part) -> Try:
        """A configuration on a part of the split that configurations are compared on."""
        place = configuration.number, part
        if place not in self._made:
            self._made[place] = _made(self.trial, configuration, part, self.criterion)
        return self._made[place]

    def chosen(self) -> Configuration | None:
        """The best configuration, the first of equals; None if all failed."""
        best = self._left(len(self._rounds))
        return best[0] if best else None

    def final(self) -> Try | None:
        """The fit of the chosen configuration on all labels, under the trial's key; None without one."""
        chosen = self.chosen()
        if chosen is None:
            return None
        part = Part(keeps_val=self.parts[0].keeps_val)
        return replace(_made(self.trial, chosen, part), key=self.trial.key)

    def with_cost(self, result: Outcome | Failure) -> Outcome | Failure:
        """What came of the final fit, with the seconds of all tries added to those of the fit.

        Notes say how many configurations could not run, or were lost with the worker of a try.
        """
        if isinstance(result, Failure):
            return result
        seconds = sum(each.seconds for each in self.tried.values())
        notes = (*result.notes, *self._notes())
        return replace(result, seconds_fit=result.seconds_fit + seconds, notes=notes)

    def _notes(self) -> Iterator[str]:
        count = plural(len(self.configurations), "configuration")
        refused = [each.reason for each in self.configurations if each.reason]
        lost = [each for each in map(self._reason, self.configurations) if each.startswith(_CUT_SHORT)]
        for what, reasons in (("could not run", refused), ("lost", lost)):
            if reasons:
                yield f"{len(reasons)} of {count} {what}; the first: {reasons[0]}"[:LONGEST_NOTE]

    def failure(self) -> Failure:
        """Why the trial failed if no configuration is left."""
        first, *others = dict.fromkeys(filter(None, map(self._reason, self.configurations)))
        more = f" (and {plural(len(others), 'other reason')})" if others else ""
        count = plural(len(self.configurations), "configuration")
        return Failure("NothingToChoose", f"all {count} failed; the first: {first}{more}"[:MESSAGE_LENGTH])

    def describe(self) -> dict[str, Any]:
        """What was tried, for the record: plain values in the order of the configurations."""
        chosen = self.chosen()
        return {
            "criterion": self.how,
            "metric": self.criterion or DEFAULT_METRIC,
            "folds": len(self.parts),
            **({"sampler": self.sampler} if self.sampler else {}),
            "chosen": None if chosen is None else chosen.number,
            "tried": [self._describe(configuration) for configuration in self.configurations],
        }

    def _left(self, number: int) -> list[Configuration]:
        """The configurations that are left for a round, the best first; one is left without more tries.

        The next best ones take the places of those that fail.
        """
        left = [each for each in self.configurations if not self._reason(each)]
        for done, folds in enumerate(self._rounds[:number], 1):
            if len(left) == 1:
                break
            means = {each.number: self._mean(each, folds) for each in left}
            scored = {number: mean for number, mean in means.items() if mean is not None}
            left = [each for each in left if each.number in scored]
            left.sort(key=lambda each: (-scored[each.number], each.number))
            left = left[: math.ceil(len(self.configurations) / 2**done)]
        return left

    def _mean(self, configuration: Configuration, folds: int) -> float | None:
        """The mean score of a configuration on the first folds; None if it failed on one of them."""
        scores = self._scores(configuration)[:folds]
        return round(statistics.fmean(scores), _DIGITS) if len(scores) == folds else None

    def _results(self, configuration: Configuration) -> list[Tried]:
        """What came of a configuration on the parts that it was tried on."""
        if configuration.composition is None:
            return []
        keys = [self.on(configuration, part).key for part in self.parts]
        return [self.tried[key] for key in keys if key in self.tried]

    def _scores(self, configuration: Configuration) -> list[float]:
        return [each.score for each in self._results(configuration) if each.score is not None]

    def _reason(self, configuration: Configuration) -> str:
        reasons = [each.reason for each in self._results(configuration) if each.reason]
        return configuration.reason or (reasons[0] if reasons else "")

    def _describe(self, configuration: Configuration) -> dict[str, Any]:
        spec = self.trial.spec if configuration.composition is None else configuration.composition.text
        found: dict[str, Any] = {"spec": spec, "recipe": _changes(self.configurations[0], configuration)}
        found["scores"] = self._scores(configuration)
        if reason := self._reason(configuration):
            found["reason"] = reason
        return found


def _made(trial: Trial, configuration: Configuration, part: Part, criterion: str = "") -> Try:
    assert configuration.composition is not None, "it cannot run"
    text, recipe = configuration.composition.text, recipe_text(configuration.recipe)
    identity = trial.task, trial.split_seed, trial.init_seed
    how = f"{part}, {criterion}" if criterion else str(part)
    key = trial_key(*identity, configuration.full_spec, recipe, how)
    return Try(*identity, text, recipe, key, configuration.full_spec, part=part, criterion=criterion)


def _changes(default: Configuration, configuration: Configuration) -> Mapping[str, Any]:
    """The fields of a recipe that differ from the default's."""
    before = vars(default.recipe)
    return {name: value for name, value in vars(configuration.recipe).items() if value != before[name]}
