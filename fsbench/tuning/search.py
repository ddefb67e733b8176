"""The search of one trial: what is tried in each round, and which configuration is chosen.

Configurations are compared on parts of the labels that are held out (`Protocol.hold_out`), by the mean of the
default metric over the parts. In successive halving (Jamieson & Talwalkar 2016, "Non-stochastic best arm
identification and hyperparameter optimization", AISTATS), all configurations are tried on the first two
folds, and the better half on twice as many. optuna's pruner of that name is asynchronous: what it keeps
depends on which trial ends first. Here the same seeds always give the same choice.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fsbench.errors import UsageError
from fsbench.failure import MESSAGE_LENGTH, Failure
from fsbench.identity import trial_key
from fsbench.jobs import Outcome
from fsbench.metrics import DEFAULT_METRIC
from fsbench.recipes.recipe import recipe_text
from fsbench.spec import Call, parse_call
from fsbench.tasks.parts import Part
from fsbench.tuning.space import Configuration
from fsbench.types import Trial, Tried
from fsbench.words import plural

_FIRST = 2
_DIGITS = 9  # so that equal means are equal, whatever the order of their folds


@dataclass(frozen=True)
class Try(Trial):
    """A trial on a part of a split: a configuration on what a search compares by, or the final fit."""

    part: Part = Part()


def tuning_text(n: int) -> str:
    """The canonical text of a search over n configurations. Raises UsageError for less than one."""
    if n < 1:
        raise UsageError(f"tune={n}: expected at least 1 configuration")
    return str(Call("tuning", (), (("n", n),)))


def tuning_size(text: str) -> int:
    """The number of configurations in the text of a search."""
    return int(str(parse_call(text).keywords["n"]))


def rounds(folds: int) -> list[int]:
    """The number of folds that a configuration has been tried on after each round."""
    found = [min(_FIRST, folds)]
    while found[-1] < folds:
        found.append(min(2 * found[-1], folds))
    return found


@dataclass
class Search:
    """The search of a trial over configurations, compared on `folds` parts of its split.

    `criterion` says in words what these are. `full_specs` are those of the configurations, by number; None
    for one that cannot run. `tried` has what came of the tries, by key.
    """

    trial: Trial
    configurations: Sequence[Configuration]
    full_specs: Sequence[str | None]
    folds: int
    criterion: str
    keeps_val: bool
    tried: dict[str, Tried] = field(default_factory=dict)

    def wanted(self, number: int) -> Iterator[Try]:
        """The tries of a round, also those of the rounds before it; none if there is nothing to choose."""
        left = self._left(number)
        if len(left) > 1 and number < len(rounds(self.folds)):
            for configuration in left:
                for fold in range(rounds(self.folds)[number]):
                    yield self.on(configuration, Part(fold, self.keeps_val))

    def on(self, configuration: Configuration, part: Part) -> Try:
        """A configuration on a part of the split."""
        trial, full_spec = self.trial, self.full_specs[configuration.number]
        assert configuration.composition is not None, "it cannot run"
        assert full_spec is not None, "it cannot run"
        recipe = recipe_text(configuration.recipe)
        key = trial_key(trial.task, trial.split_seed, trial.init_seed, full_spec, recipe, str(part))
        text = configuration.composition.text
        return Try(trial.task, trial.split_seed, trial.init_seed, text, recipe, key, full_spec, part=part)

    def chosen(self) -> Configuration | None:
        """The best configuration, the first of equals; None if all failed."""
        best = self._left(len(rounds(self.folds)))
        return best[0] if best else None

    def final(self) -> Try | None:
        """The fit of the chosen configuration on all labels, under the trial's key; None without one."""
        chosen = self.chosen()
        if chosen is None:
            return None
        return replace(self.on(chosen, Part(keeps_val=self.keeps_val)), key=self.trial.key)

    def with_cost(self, result: Outcome | Failure) -> Outcome | Failure:
        """What came of the final fit, with the seconds of all tries added to those of the fit."""
        if isinstance(result, Failure):
            return result
        seconds = sum(each.seconds for each in self.tried.values())
        return replace(result, seconds_fit=result.seconds_fit + seconds)

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
            "criterion": self.criterion,
            "metric": DEFAULT_METRIC,
            "folds": self.folds,
            "chosen": None if chosen is None else chosen.number,
            "tried": [self._describe(configuration) for configuration in self.configurations],
        }

    def _left(self, number: int) -> list[Configuration]:
        """The configurations that are left for a round, the best first; one is left without more tries."""
        left = [each for each in self.configurations if self.full_specs[each.number] is not None]
        for done, folds in enumerate(rounds(self.folds)[:number], 1):
            if len(left) == 1:
                break
            scores = {each.number: self._scores(each)[:folds] for each in left}
            left = [each for each in left if len(scores[each.number]) == folds]
            left.sort(key=lambda each: (-round(statistics.fmean(scores[each.number]), _DIGITS), each.number))
            left = left[: math.ceil(len(self.configurations) / 2**done)]
        return left

    def _results(self, configuration: Configuration) -> list[Tried]:
        """What came of a configuration on the parts that it was tried on."""
        if self.full_specs[configuration.number] is None:
            return []
        keys = [self.on(configuration, Part(fold, self.keeps_val)).key for fold in range(self.folds)]
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


def _changes(default: Configuration, configuration: Configuration) -> Mapping[str, Any]:
    """The fields of a recipe that differ from the default's."""
    before = vars(default.recipe)
    return {name: value for name, value in vars(configuration.recipe).items() if value != before[name]}
