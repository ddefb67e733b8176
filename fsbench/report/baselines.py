"""The comparison with the best baseline.

The best baseline is found on the same trials that decide, so the difference to it alone cannot be tested.
What is tested is whether a strategy is better than *every* baseline: it is if each paired test says so,
without a correction (an intersection-union test, Berger 1982), so the p-value is the largest of theirs. A
strategy is worse if it is worse than any of them after a correction for their number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from fsbench import stats
from fsbench.composition import BASELINE
from fsbench.errors import UsageError
from fsbench.looks import OPEN
from fsbench.metrics import Metric
from fsbench.report import differences
from fsbench.report.differences import Place, Placed, minus, place_of
from fsbench.report.entries import Setting
from fsbench.report.names import canonical
from fsbench.stats import Estimate
from fsbench.tuning.tuned import row_name
from fsbench.words import plural

Wanted = Sequence[Sequence[Placed]]
"""Differences, each on one setting or several."""
BEST, WITHHELD = "best baseline", "withheld"
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Against:
    """A strategy compared with the baselines.

    `difference` is the score minus that of `baseline`, the best of them on the same trials. `p` is the
    p-value of the verdict, adjusted once all rows are known. The verdict is "better" (than every baseline),
    "worse" (than one of them), "not settled", "withheld" (where trials failed, or all splits train on the
    same samples), or "baseline" in the row of one, for which nothing is tested; the best baseline has no
    difference. `matched` says whether that baseline has a result in every trial. `claimed` is the p-value and
    the verdict before the adjustment.
    """

    baseline: str
    difference: Estimate | None
    p: float | None
    verdict: str
    matched: bool = True
    claimed: tuple[float, str] = (1.0, "")


LOST = Against("", None, 1.0, WITHHELD)
"""A comparison of which failures left nothing; it counts."""


@dataclass(frozen=True)
class Contest:
    """A strategy and its rivals, on some settings.

    `gains` are its mean differences to them, positive where it is better. `matched` says whether they have a
    result in every trial. `whole` is False where a claim is to be withheld; `lost` says that there are no
    gains because trials failed or have no value.
    """

    strategy: str
    settings: Sequence[Setting]
    gains: Mapping[str, float]
    matched: bool
    whole: bool
    lost: bool = False

    @property
    def best(self) -> str:
        """The best rival; "" without one."""
        return min(self.gains, key=lambda name: self.gains[name], default="")

    def terms(self, rival: str) -> list[Placed]:
        """The difference to a rival, on the settings where both have records."""
        return [
            (setting, minus(setting.entries[self.strategy], setting.entries[rival]))
            for setting in self.settings
            if rival in setting.entries
        ]


class Baselines:
    """The baselines of some settings: those declared in their records or, if given, those named."""

    def __init__(self, found: Sequence[Setting], metric: Metric, named: str | None = None) -> None:
        """Raises UsageError if a strategy in the text `named` has no record."""
        self.metric, self.found = metric, found
        entries = [entry for setting in found for entry in setting.entries.values()]
        if named is None:
            chosen = [e.strategy for e in entries if e.strategy == BASELINE or e.shared[0].baseline]
        else:
            specs = canonical(named)
            chosen = [e.strategy for e in entries if e.shared[0].spec in specs]
            if entries and (lacking := set(specs) - {entry.shared[0].spec for entry in entries}):
                raise UsageError(
                    f"baseline {', '.join(sorted(lacking))} has no results here; `fsbench run` with the same "
                    "--baseline produces some"
                )
        self.names = tuple(sorted(set(chosen)))
        self._differing: dict[tuple[int, str], list[float | None]] = {}

    @property
    def specs(self) -> tuple[str, ...]:
        """The full specs of those that ran, in alphabetical order; none if there is no comparison."""
        entries = [entry for setting in self.found for entry in setting.entries.values()]
        ran = {e.full_spec for e in entries if e.strategy in self.names and (e.ok.any() or e.failed.any())}
        return tuple(sorted(ran)) * bool(self.title)

    @property
    def title(self) -> str:
        """What the column compares with; "" if this is what all rows are compared with anyway."""
        if set(self.names) <= {BASELINE}:
            return ""
        return self.names[0] if len(self.names) == 1 else BEST

    def on_tasks(self, gains: Mapping[Place, Estimate | None]) -> dict[Place, Against | None]:
        """The comparison of each strategy on each task, with the p-values adjusted for all of them.

        `gains` are the differences to plain training. None where there is nothing to compare with.
        """
        contests = {
            place_of(setting, entry): self._contest(entry.strategy, [setting], [setting])
            for setting in self.found
            for entry in setting.entries.values()
        }

        def made(shown: Wanted, asked: Wanted) -> tuple[list[Estimate | None], list[float]]:
            first, second = ([place for (place,) in each] for each in (shown, asked))
            return differences.on_tasks(first, second, self.metric)

        return self._compared(contests, gains, made)

    def over_tasks(self, gains: Mapping[str, Estimate | None]) -> dict[str, Against | None]:
        """The comparison of each strategy over the tasks that it did, adjusted like those of `on_tasks`."""
        contests = {}
        for strategy in gains:
            done = [s for s in self.found if strategy in s.entries and self._known(s, strategy).any()]
            contests[strategy] = self._contest(strategy, done, self.found)

        def made(shown: Wanted, asked: Wanted) -> tuple[list[Estimate | None], list[float]]:
            found = differences.over_tasks([*shown, *asked], self.metric)
            return found[: len(shown)], [each.p if each else 1.0 for each in found[len(shown) :]]

        return self._compared(contests, gains, made)

    def agreeing(self, found: Against | None, p: float | None) -> Against | None:
        """A comparison without a claim that the verdict on the difference to plain training leaves open.

        `p` is the adjusted p-value of that verdict, None without one. "better" is than plain training, too;
        "worse" is shown beside the difference to it if it is the best baseline.
        """
        if found is None or p is None or p <= 1 - stats.LEVEL or BASELINE not in self.names:
            return found
        about_it = found.verdict == "better" or (found.verdict, found.baseline) == ("worse", BASELINE)
        return replace(found, p=p, verdict=OPEN) if about_it else found

    def left_out(self, tuning: str) -> Iterator[str]:
        """A line for each baseline that is left out of comparisons, on tasks or overall.

        `tuning` is the text of the search, which the names of rows tell.
        """
        for name in self.names if self.title else ():
            shown = row_name(name, tuning)
            lacking = [
                setting.label
                for setting in self.found
                if not setting.is_complete(name, self.metric.name) and not _skipped(setting, name)
            ]
            if lacking:
                tasks = lacking[0] if len(lacking) == 1 else plural(len(lacking), "task")
                yield f"left out as a baseline on {tasks}: {shown}, which has no result in some or all trials"
            skipped = sum(_skipped(setting, name) for setting in self.found)
            if 0 < skipped < len(self.found):
                there = "not compared with it"
                if not self._whole(self.found):
                    there = "compared with it on the other tasks alone, without a claim"
                yield (
                    f"baseline {shown} was skipped on {skipped} of {len(self.found)} tasks: overall, "
                    f"strategies with results there are {there}"
                )

    def _rivals(self, settings: Sequence[Setting], strategy: str) -> tuple[list[str], bool]:
        """The other baselines with a result in every trial of some settings; without one, those with any.

        The second value is False if no baseline has a result in every trial.
        """
        whole = [name for name in self._whole(settings) if name != strategy]
        return (whole, True) if whole else ([name for name in self.names if name != strategy], False)

    def _whole(self, settings: Sequence[Setting]) -> list[str]:
        """The baselines with a result in every trial of some settings."""
        return [n for n in self.names if all(s.is_complete(n, self.metric.name) for s in settings)]

    def _lacks(self, settings: Sequence[Setting], strategy: str) -> bool:
        """Whether trials of a strategy failed, or have no value of the metric although others have one."""
        return any(s.lacks(s.entries[strategy], self.metric.name) for s in settings if strategy in s.entries)

    def _lost(self, settings: Sequence[Setting], strategy: str) -> bool:
        """Whether trials of a strategy that is tested, or of its rivals, failed or have no value."""
        if strategy in self.names:
            return False
        for setting in (each for each in settings if strategy in each.entries):
            rivals = [name for name in self.names if name in setting.entries]
            both = (strategy, *rivals) if setting.entries[strategy].ok.any() else (strategy,)
            if rivals and any(self._lacks([setting], name) for name in both):
                return True
        return False

    def _known(self, setting: Setting, name: str) -> np.ndarray:
        """Whether each trial of a setting has a result of a strategy, bool `[P]`."""
        known: np.ndarray = np.isfinite(setting.values(self.metric.name)[setting.numbers.get(name, -1)])
        return known

    def _contest(self, strategy: str, settings: Sequence[Setting], tried: Sequence[Setting]) -> Contest:
        """The comparison of a strategy with its rivals on some settings, of those where it was `tried`."""
        rivals, matched = self._rivals(settings, strategy)
        whole = matched and not any(s.splits.same for s in settings) and not self._lacks(tried, strategy)
        sign, gains = 1 if self.metric.higher_is_better else -1, {}
        for name in rivals:
            means = [self._means(s, name)[s.numbers[strategy]] for s in settings if name in s.entries]
            if known := [each for each in means if each is not None]:
                gains[name] = sign * math.fsum(known) / len(known)
        return Contest(strategy, settings, gains, matched, whole, not gains and self._lost(tried, strategy))

    def _means(self, setting: Setting, rival: str) -> list[float | None]:
        """The mean difference of each strategy to a rival."""
        key = id(setting), rival
        if key not in self._differing:
            self._differing[key] = differences.means_on_task(setting, rival, self.metric)
        return self._differing[key]

    def _compared(
        self,
        contests: Mapping[Key, Contest],
        to_erm: Mapping[Key, Estimate | None],
        made: Callable[[Wanted, Wanted], tuple[list[Estimate | None], list[float]]],
    ) -> dict[Key, Against | None]:
        """How each contest ends.

        `made` estimates some differences, and gives the p-values of some more.
        """
        shown = [key for key, contest in contests.items() if contest.gains and not self._leads(contest)]
        p = {(key, BASELINE): each.p for key, each in to_erm.items() if each}
        others = [key for key in shown if contests[key].best != BASELINE]
        asked = [
            (key, name)
            for key in shown
            if contests[key].strategy not in self.names
            for name in needed(contests[key].gains)
            if name not in (contests[key].best, BASELINE)
        ]
        estimates, p_values = made(
            [contests[key].terms(contests[key].best) for key in others],
            [contests[key].terms(name) for key, name in asked],
        )
        best = dict(to_erm) | dict(zip(others, estimates, strict=True))
        p |= zip(asked, p_values, strict=True)
        p |= {(key, contests[key].best): each.p for key in others if (each := best[key])}
        several = [
            self._against(contest, best.get(key), [p.get((key, name), 1.0) for name in contest.gains])
            for key, contest in contests.items()
        ]
        return dict(zip(contests, judged(several), strict=True))

    def _leads(self, contest: Contest) -> bool:
        """Whether a strategy is the best baseline itself, with a result in every trial."""
        name, metric = contest.strategy, self.metric.name
        if name not in self.names or min(contest.gains.values()) < 0:
            return False
        return all(setting.is_complete(name, metric) for setting in contest.settings)

    def _against(self, contest: Contest, best: Estimate | None, p: Sequence[float]) -> Against | None:
        """A comparison, given the difference to the best rival, and the p-values of those to all."""
        if not contest.gains:
            return LOST if contest.lost else None
        if contest.strategy in self.names:
            leads = self._leads(contest)
            name, gain = (contest.strategy, None) if leads else (contest.best, best)
            return Against(name, gain, None, "baseline", contest.matched)
        claimed = claim(p, list(contest.gains.values()))
        verdict = claimed[1] if contest.whole else WITHHELD
        return Against(contest.best, best, claimed[0], verdict, contest.matched, claimed)


def needed(gains: Mapping[str, float]) -> list[str]:
    """The rivals whose p-values matter to a claim, given the gains over all.

    "better" needs that of every rival, and "worse" those of the rivals that are ahead.
    """
    ahead = min(gains.values(), default=0.0) > 0
    return [name for name, gain in gains.items() if ahead or gain < 0]


def claim(p: Sequence[float], gains: Sequence[float]) -> tuple[float, str]:
    """The stronger of two claims about one strategy and several baselines, with its p-value.

    `p` are the two-sided p-values of the differences to the baselines, `gains` the differences, positive
    where the strategy is better. "better" is than all of them, "worse" than at least one. At each level,
    either is claimed wrongly with at most half that probability, so their smaller p-value is valid for both.
    """
    better = max(value if gain > 0 else 1.0 for value, gain in zip(p, gains, strict=True))
    worse = min(value if gain < 0 else 1.0 for value, gain in zip(p, gains, strict=True))
    worse = min(1.0, len(p) * worse)
    return (better, "better") if better < worse else (worse, "worse")


def judged(found: Sequence[Against | None]) -> list[Against | None]:
    """Comparisons with their p-values adjusted for all of them (Holm); those at the 5 % level keep the claim.

    A withheld verdict counts, so that a failure does not make other verdicts easier to reach.
    """
    adjusted = iter(stats.holm([each.p for each in found if each and each.p is not None]))
    return [each if each is None or each.p is None else _judged(each, next(adjusted)) for each in found]


def _judged(against: Against, p: float) -> Against:
    if against.verdict == WITHHELD:
        return replace(against, p=None)
    return replace(against, p=p, verdict=against.verdict if p <= 1 - stats.LEVEL else OPEN)


def _skipped(setting: Setting, name: str) -> bool:
    """Whether a strategy was skipped on a task."""
    return name in setting.entries and setting.entries[name].count("skipped") > 0
