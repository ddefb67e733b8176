"""What can be said before a run on the user's own data: whether it is cheap, and what it can settle."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from fsbench.composition import Composition
from fsbench.errors import TaskError
from fsbench.looks import ERROR
from fsbench.recipes.catalogue import known_backbone
from fsbench.recipes.recipe import task_recipe
from fsbench.spec import Value, parse_call
from fsbench.stats import crossed
from fsbench.tasks.drawing import Split
from fsbench.tasks.expressions import Task
from fsbench.tasks.protocols import Protocol
from fsbench.tuning.tuned import size_of
from fsbench.types import Recipe
from fsbench.words import plural

FEW_SEEDS, MANY_SEEDS = 5, 10
CHEAP = 20_000.0
"""The most reference loops of a run that gets many seeds: about two minutes on two cores."""

# Measured by benchmarks/suite_costs.py for `conv4` and `mlp`: a loop (`fsbench.cli.estimate`) has about this
# many multiplications, a network needs about twice as long for one, and a step has a fixed cost.
_IN_A_LOOP = 5.4e8
_SLOWER = 2.0
_STEP = 0.1
_FITS_OF_A_TRY = 3
_DISAGREE = 0.2
_POWER = 0.8
_DRAWS_FEWER = {"holdout": {"train": 0.5}, "shift": {"share": 0.5}}
"""The argument by which a protocol draws training samples that it would otherwise all use."""


def seeds_for(
    tasks: Iterable[Task],
    rows: Mapping[str, Sequence[Composition]],
    changes: Mapping[str, Value],
) -> int:
    """The number of split seeds of a run on own data: ten if it is cheap, five otherwise.

    `rows` are the strategies by the text of their search. The number depends only on the arguments, so that a
    repeated run has the same. A backbone of unknown cost is not cheap.
    """
    cost = 0.0
    for task in tasks:
        running = sum(
            1 + _FITS_OF_A_TRY * size_of(tuning)
            for tuning, compositions in rows.items()
            for each in compositions
            if each.skip(task.info) is None
        )
        samples = task.protocol.draw(0).train.y.shape[1]
        recipe = task_recipe(task.info, changes=changes).sized(samples)
        cost += running * trial_cost(recipe, task.info.input_shape)
    return MANY_SEEDS if MANY_SEEDS * cost <= CHEAP else FEW_SEEDS


def trial_cost(recipe: Recipe, shape: tuple[int, ...]) -> float:
    """About how many reference loops plain training takes by a recipe; infinite for an unknown backbone."""
    call = parse_call(recipe.backbone)
    count = known_backbone(call).multiplications
    if count is None:
        return math.inf
    # A backward pass needs twice as many as a forward pass.
    loops = 3 * recipe.batch_size * count(shape, **call.keywords) / _IN_A_LOOP
    return recipe.steps * (_STEP + _SLOWER * loops)


def outlook(
    tasks: Iterable[Task], compositions: Sequence[Composition], seeds: Sequence[int], error: float = ERROR
) -> list[str]:
    """A line for each task about the smallest difference that its test samples and seeds can settle.

    `error` is the probability of any wrong verdict among the comparisons of a task.
    Where every split trains on the same samples, the line says instead that there are no verdicts.
    """
    lines = []
    for task in tasks:
        compared = sum(each.skip(task.info) is None for each in compositions) - 1
        if len(seeds) < 2 or compared < 1:
            continue
        splits = [task.protocol.draw(seed) for seed in seeds]
        if _train_alike(splits):
            lines.append(
                f"{task.text}: every split trains on the same samples, so there are no verdicts; name a task "
                f"that draws them{_such_as(task.protocol, seeds)}"
            )
            continue
        points = 100 * smallest_difference(splits, compared, error)
        tested = plural(splits[0].test.y[0].size, "test sample")
        what = f"differences of about {points:.0f} points or more" if points < 100 else "no difference"
        lines.append(
            f"{task.text}: with {len(seeds)} split seeds of {tested}, and {plural(compared, 'comparison')} "
            f"with the baseline, {what} in balanced accuracy can be settled (if two strategies disagree on a "
            "fifth of the samples)"
        )
    return lines


def _train_alike(splits: Iterable[Split]) -> bool:
    """Whether all splits have the same training samples, in any order."""
    drawn = ((split.train.origin.ravel(), split.train.index.ravel()) for split in splits)
    return len({frozenset(zip(*map(np.ndarray.tolist, each), strict=True)) for each in drawn}) == 1


def _such_as(protocol: Protocol, seeds: Sequence[int]) -> str:
    """The same protocol with training samples that differ between splits, as an example if there is one."""
    try:
        other = replace(protocol, **_DRAWS_FEWER[protocol.name])
        alike = _train_alike(other.draw(seed) for seed in seeds)
    except (KeyError, TaskError):
        return ""
    return "" if alike else f", such as {other.text}"


def smallest_difference(splits: Sequence[Split], compared: int, error: float = ERROR) -> float:
    """The difference in balanced accuracy that is found with a probability of 0.8, from 0 to 1.

    The strategy and the baseline disagree on a fifth of the test samples, on the same ones in each split, and
    nothing else varies, which is optimistic. The test is that of `fsbench.stats`, at `error` divided by the
    number of comparisons.
    """
    from scipy.special import stdtrit

    places, influences = [], []
    for split in splits:
        _, place, count = np.unique(split.test.y, return_inverse=True, return_counts=True)
        places.append(split.test.index.ravel())
        influences.append(math.sqrt(_DISAGREE) / len(count) / count[place.ravel()])
    parts, n = crossed(places, influences), len(splits)
    variance = parts.common + parts.own / n
    df = min(variance**2 / max(parts.own / n, 1e-12) ** 2, 2) * (n - 1)
    quantiles = [float(stdtrit(df, p)) for p in (1 - error / 2 / compared, _POWER)]
    return sum(quantiles) * math.sqrt(variance)
