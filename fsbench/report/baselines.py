"""The comparison with the best baseline.

The best baseline is found on the same trials that decide, so the difference to it alone cannot be tested.
What is tested is whether a strategy is better than *every* baseline: it is if each paired test says so,
without a correction (an intersection-union test, Berger 1982), so the p-value is the largest of theirs. A
strategy is worse if it is worse than any of them after a correction for their number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fsbench import stats
from fsbench.composition import BASELINE
from fsbench.errors import FsbenchError, UsageError
from fsbench.metrics import Metric
from fsbench.report import differences
from fsbench.report.entries import Entry, Setting
from fsbench.spec import parse_list
from fsbench.stats import Estimate
from fsbench.words import plural

BEST, WITHHELD = "best baseline", "withheld"


@dataclass(frozen=True)
class Against:
    """A strategy compared with the baselines.

    `difference` is the score minus that of `baseline`, the best of them on the same trials. `p` is the
    p-value of the verdict, adjusted once all rows are known. The verdict is "better" (than every baseline),
    "worse" (than one of them), "not settled", "withheld" (where trials failed, or all splits train on the
    same samples), or "baseline" in the row of one, for which nothing is tested; the best baseline has no
    difference. `claimed` is the p-value and the verdict before the adjustment.
    """

    baseline: str
    difference: Estimate | None
    p: float | None
    verdict: str
    claimed: tuple[float, str] = (1.0, "")


class Baselines:
    """The baselines of some settings: those declared in their records or, if given, those named."""

    def __init__(self, found: Sequence[Setting], metric: Metric, named: str | None = None) -> None:
        """Raises UsageError if a strategy in the text `named` has no record."""
        self.metric = metric
        self.found = found
        entries = [entry for setting in found for entry in setting.entries.values()]
        if named is None:
            chosen = [e.strategy for e in entries if e.strategy == BASELINE or e.shared[0].baseline]
        else:
            specs = _canonical(named)
            chosen = [e.strategy for e in entries if e.shared[0].spec in specs]
            if entries and (lacking := set(specs) - {entry.shared[0].spec for entry in entries}):
                raise UsageError(
                    f"baseline {', '.join(sorted(lacking))} has no results here; `fsbench run` with the same "
                    "--baseline produces some"
                )
        self.names = tuple(sorted(set(chosen)))

    @property
    def specs(self) -> tuple[str, ...]:
        """Their full specs in alphabetical order; none if there is no comparison."""
        entries = [entry for setting in self.found for entry in setting.entries.values()]
        return tuple(sorted({e.full_spec for e in entries if e.strategy in self.names})) * bool(self.title)

    @property
    def title(self) -> str:
        """What the column compares with; "" if this is what all rows are compared with anyway."""
        if set(self.names) <= {BASELINE}:
            return ""
        return self.names[0] if len(self.names) == 1 else BEST

    def on_task(self, setting: Setting, entry: Entry) -> Against | None:
        """A strategy's comparison on one task; None if there is nothing to compare it with."""
        rivals, whole = self._rivals([setting], entry.strategy)
        gains = {
            name: differences.mean_on_task(setting, entry, setting.entries[name], self.metric)
            for name in rivals
            if name in setting.entries
        }
        whole = whole and not setting.splits.same and not self._lacks([setting], entry.strategy)

        def estimate(rival: str) -> Estimate | None:
            return differences.on_task(setting, entry, setting.entries[rival], self.metric)

        return self._compare(entry.strategy, gains, estimate, whole)

    def over_tasks(self, strategy: str) -> Against | None:
        """A strategy's comparison over the tasks that it did; None if there is nothing to compare it with."""
        done = [s for s in self.found if strategy in s.entries and self._known(s, strategy).any()]
        rivals, whole = self._rivals(done, strategy)
        gains = {name: differences.mean_over_tasks(done, strategy, name, self.metric) for name in rivals}
        whole = whole and not any(setting.splits.same for setting in done)

        def estimate(rival: str) -> Estimate | None:
            return differences.over_tasks(done, strategy, rival, self.metric)

        return self._compare(strategy, gains, estimate, whole and not self._lacks(self.found, strategy))

    def left_out(self) -> Iterator[str]:
        """A line for each baseline that is left out of comparisons because trials have no result."""
        for name in self.names if self.title else ():
            lacking = [
                setting.label
                for setting in self.found
                if not self._known(setting, name).all() and not _skipped(setting, name)
            ]
            if lacking:
                tasks = lacking[0] if len(lacking) == 1 else plural(len(lacking), "task")
                yield f"no complete baseline on {tasks}: {name}, where some of its trials have no result"

    def _rivals(self, settings: Sequence[Setting], strategy: str) -> tuple[list[str], bool]:
        """The other baselines with a result in every trial of some settings; without one, those with any.

        The second value is False if no baseline has a result in every trial.
        """
        others = [name for name in self.names if name != strategy]
        whole = [n for n in others if all(self._known(setting, n).all() for setting in settings)]
        return (whole, True) if whole else (others, False)

    def _lacks(self, settings: Sequence[Setting], strategy: str) -> bool:
        """Whether trials of a strategy failed, or have no value of the metric although others have one."""
        entries = [
            (setting, setting.entries[strategy]) for setting in settings if strategy in setting.entries
        ]
        return any(e.count("failed") or s.undefined(e, self.metric.name) for s, e in entries)

    def _known(self, setting: Setting, name: str) -> np.ndarray:
        """Whether each trial of a setting has a result of a strategy, bool `[P]`."""
        if name not in setting.entries:
            return np.zeros(len(setting.pairs), dtype=bool)
        known: np.ndarray = np.isfinite(setting.entries[name].values(self.metric.name))
        return known

    def _compare(
        self,
        strategy: str,
        differing: Mapping[str, float | None],
        estimate: Callable[[str], Estimate | None],
        whole: bool,
    ) -> Against | None:
        """The comparison, given the differences to the rivals, whose `estimate` takes longer to make."""
        sign = 1 if self.metric.higher_is_better else -1
        gains = {name: sign * each for name, each in differing.items() if each is not None}
        if not gains:
            return None
        best = min(gains, key=lambda name: gains[name])
        if strategy in self.names:
            leads = gains[best] >= 0
            return Against(strategy if leads else best, None if leads else estimate(best), None, "baseline")
        p, word = claimed(gains, estimate)
        return Against(best, estimate(best), p, word if whole else WITHHELD, (p, word))


def claimed(gains: Mapping[str, float], estimate: Callable[[str], Estimate | None]) -> tuple[float, str]:
    """The `claim` about a strategy, with the p-values that matter: "better" needs a gain over all rivals."""
    ahead = min(gains.values()) > 0
    found = {name: estimate(name) for name, gain in gains.items() if ahead or gain < 0}
    p = [each.p if (each := found.get(name)) else 1.0 for name in gains]
    return claim(p, list(gains.values()))


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
    return replace(against, p=p, verdict=against.verdict if p <= 1 - stats.LEVEL else "not settled")


def _canonical(text: str) -> list[str]:
    """The canonical specs of a text; as written if a strategy is not installed."""
    from fsbench.registry import get_registry

    try:
        return [composition.text for composition in get_registry().parse(text)]
    except FsbenchError:
        return [str(each) for each in parse_list(text)]


def _skipped(setting: Setting, name: str) -> bool:
    """Whether a strategy was skipped on a task."""
    return name in setting.entries and setting.entries[name].count("skipped") > 0
