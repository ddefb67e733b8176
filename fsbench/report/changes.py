"""What changed between two sides beyond noise: on each task, over tasks, and what could not be compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fsbench.errors import UsageError
from fsbench.metrics import Metric, get_metric
from fsbench.report import pairs
from fsbench.report.by_split import by_split
from fsbench.report.entries import Setting, natural, settings
from fsbench.report.pairs import Pair
from fsbench.report.rows import OVERALL
from fsbench.report.sides import Side, key_of, together
from fsbench.report.unlike import (
    Lost,
    Named,
    Place,
    differing,
    lost_trials,
    on_one_side,
    only_in,
)
from fsbench.stats import Estimate


@dataclass(frozen=True)
class Change:
    """What became of a strategy on a task, or over its tasks ("overall"), from A to B.

    `before` and `after` are the scores of A and B in the trials that both did, overall the means over tasks;
    `difference` is B minus A, `p` and `verdict` are as in `Pair`: "better" means that B is. A `small` change
    certainly is within the margin. `done` trials have a value on both sides, `equal` of them the same one;
    `whole` says that no trial failed or lacks a value.
    `cost` is the median of B's seconds over A's in the same trials on the same device, None without any.
    """

    strategy: str
    task: str
    before: float
    after: float
    difference: Estimate
    p: float
    verdict: str
    small: bool
    done: int
    equal: int
    whole: bool
    cost: float | None

    @property
    def is_same(self) -> bool:
        """Whether every trial has the same value on both sides."""
        return self.whole and self.equal == self.done

    @property
    def is_settled(self) -> bool:
        """Whether it is a change beyond noise."""
        return self.verdict in ("better", "worse")

    @property
    def is_worsening(self) -> bool:
        """Whether it is settled that B is worse, and not certain that this is within the margin."""
        return self.verdict == "worse" and not self.small


@dataclass(frozen=True)
class Comparison:
    """Two sides, A and B, compared on what they have in common.

    `overall` are the changes over tasks, one for each strategy, `rows` those on single tasks; the p-values of
    each are those of one family. `lost` are trials with a result in A that failed in B. `differing` says in
    what the sides differ, such as the versions of packages, `left_out` what could not be compared, in lines.
    """

    titles: tuple[str, str]
    metric: Metric
    margin: float
    overall: tuple[Change, ...]
    rows: tuple[Change, ...]
    lost: tuple[Lost, ...] = ()
    differing: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def is_worse(self) -> bool:
        """Whether a worsening is settled, overall or on a task, or trials were lost."""
        return bool(self.lost) or any(each.is_worsening for each in (*self.overall, *self.rows))


def compare_sides(a: Side, b: Side, metric: str, margin: float | None = None) -> Comparison:
    """Compare two sides, whose records must have the values of the metric, on the trials that both did.

    Two single strategies are compared with each other, otherwise each strategy with the one of the same name.
    Only like is compared with like: other splits or recipes of a task are left out. Raises UsageError if
    nothing can be compared.
    """
    chosen, (columns, unlike) = get_metric(metric), together([a, b])
    margin = chosen.margin if margin is None else margin
    found, named = settings(columns), _named(a, b)
    placed = {names: list(_places(found, names)) for names in named}
    every = [place for places in placed.values() for place in places]
    keys = [(key_of("B", theirs), key_of("A", ours)) for ours, theirs in named]
    judged = pairs.compare_all(found, keys, chosen, margin)
    changes = [
        _change(places, pair, chosen)
        for places, several in zip(placed.values(), judged, strict=True)
        for pair in several
    ]
    lost = tuple(lost_trials(every))
    sides = (("A", a), ("B", b))
    remarks = [f"{letter}: {line}" for letter, each in sides for line in each.remarks]
    left_out = [f"{letter}: {line}" for letter, each in sides for line in each.left_out]
    left_out += [*unlike, *only_in(a, b, named), *on_one_side(every, chosen.name)]
    if not changes and not lost:
        raise UsageError(
            f"{a.title} and {b.title} have no result in common: {'; '.join(left_out) or 'no trial succeeded'}"
        )
    return Comparison(
        titles=(a.title, b.title),
        metric=chosen,
        margin=margin,
        overall=tuple(each for each in changes if each.task == OVERALL),
        rows=tuple(each for each in changes if each.task != OVERALL),
        lost=lost,
        differing=tuple(dict.fromkeys([*differing(a, b, named), *remarks])),
        left_out=tuple(left_out),
    )


def _named(a: Side, b: Side) -> list[Named]:
    """The strategies to compare, by their names in A and in B."""
    if a.only and b.only:
        return [(a.only, b.only)]
    return [(name, name) for name in sorted(a.names.keys() & b.names.keys(), key=natural)]


def _places(found: Sequence[Setting], names: Named) -> Iterator[Place]:
    """Where both strategies have records."""
    ours, theirs = key_of("A", names[0]), key_of("B", names[1])
    for setting in found:
        if ours in setting.entries and theirs in setting.entries:
            yield names[1], setting, setting.entries[ours], setting.entries[theirs]


def _change(places: Sequence[Place], pair: Pair, metric: Metric) -> Change:
    """The change on the task of a pair, or over all places for an overall one."""
    some = [place for place in places if pair.task in (OVERALL, place[1].label)]
    values = [(setting, a.values(metric.name), b.values(metric.name)) for _, setting, a, b in some]
    both = [(setting, ours, theirs, np.isfinite(ours - theirs)) for setting, ours, theirs in values]
    scored = [each for each in both if each[3].any()]
    costs = np.concatenate([b.cost(a) for *_, a, b in some])
    costs = costs[np.isfinite(costs)]
    return Change(
        strategy=some[0][0],
        task=pair.task,
        before=float(np.mean([_score(setting, ours, done) for setting, ours, _, done in scored])),
        after=float(np.mean([_score(setting, theirs, done) for setting, _, theirs, done in scored])),
        difference=pair.difference,
        p=pair.p,
        verdict=pair.verdict,
        small=pair.within,
        done=sum(int(done.sum()) for *_, done in scored),
        equal=sum(int((ours == theirs).sum()) for _, ours, theirs, _ in scored),
        whole=not any(setting.lacks(each, metric.name) for _, setting, *sides in some for each in sides),
        cost=float(np.median(costs)) if len(costs) else None,
    )


def _score(setting: Setting, values: np.ndarray, done: np.ndarray) -> float:
    """The mean over split seeds of the values of some trials."""
    return float(np.mean(by_split(setting.pairs, values[None], done).means))
