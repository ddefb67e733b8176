"""Sums of two strategies that are worth a try."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from fsbench.composition import BASELINE, Composition
from fsbench.errors import ConflictError
from fsbench.registry import Registry
from fsbench.spec import parse_list
from fsbench.stages import STAGES
from fsbench.strategy import Strategy, overrides
from fsbench.types import TaskInfo

MOST = 4
_AROUND_A_FIT = frozenset({"embed", "resample", "fit", "postprocess"})


def promising(registry: Registry, best: Sequence[str], task: TaskInfo, most: int = MOST) -> list[str]:
    """The sums of two of some strategies, the best first, that can have an effect on a task.

    Their families and their stages differ, they compose, and the fit of one does not make the stages of the
    other idle.
    """
    built = [registry.build(*parse_list(text)) for text in best]
    singles = [each.components[0] for each in built if len(each.components) == 1 and each.text != BASELINE]
    pairs = sorted(itertools.combinations(range(len(singles)), 2), key=lambda pair: (sum(pair), pair))
    found = (_sum(registry, singles[one], singles[other]) for one, other in pairs)
    texts = (each.text for each in found if each is not None and each.skip(task) is None and not _idle(each))
    return list(itertools.islice(dict.fromkeys(texts), most))


def _sum(registry: Registry, one: Strategy, other: Strategy) -> Composition | None:
    """Two strategies in the order in which they act; None if they do much the same, or do not compose."""
    if (one.family and one.family == other.family) or _stages(one) == _stages(other):
        return None
    try:
        return registry.compose(sorted((one, other), key=_first))
    except ConflictError:
        return None


def _stages(component: Strategy) -> list[str]:
    """The stages that a component changes, in the order of a trial; those of the recipe last."""
    found = [stage for stage in STAGES if overrides(component, stage)]
    return sorted(found, key=lambda stage: STAGES[stage].rests_on == "recipe")


def _first(component: Strategy) -> int:
    return next((list(STAGES).index(stage) for stage in _stages(component)), 0)


def _idle(composition: Composition) -> bool:
    """Whether a component acts only on a training that another one, which owns the fit, replaces."""
    owner = composition.owner("fit")
    if owner is None:
        return False
    useful = _AROUND_A_FIT | ({"augment"} if composition.chain("embed") else set())
    return any(each is not owner and not useful & set(_stages(each)) for each in composition.components)
