"""What each component of a sum contributes, and how they interact, from the results of all their sums."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from fsbench.errors import UsageError
from fsbench.metrics import Metric
from fsbench.registry import get_registry
from fsbench.report.contrasts import Contrast, contrasts
from fsbench.report.differences import Terms
from fsbench.report.entries import Setting
from fsbench.report.factorial import Factorial, Subset, factorial, interaction, shapley
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.names import some
from fsbench.report.rows import OVERALL, Row
from fsbench.report.text import problem_lines

Weights = Mapping[Subset, float]


@dataclass(frozen=True)
class Effect:
    """The contribution of one component, the interaction of two, or the gain of all over the baseline.

    `rows` has it on each task with the whole factorial and, last, over these tasks; it is empty if there is
    no such task. The verdict over tasks is withheld if a sum failed on any task where all were tried.
    """

    components: tuple[str, ...]
    rows: tuple[Contrast, ...]

    @property
    def overall(self) -> Contrast | None:
        """The effect over tasks."""
        return next((row for row in self.rows if row.task == OVERALL), None)


@dataclass(frozen=True)
class Ablation:
    """The ablation of a sum. Contributions are Shapley values: on each task, they add up to the `gain`.

    `table` has the overall rows of all sums in the leaderboard. `tasks` are those with the whole factorial:
    all sums have results there, and only trials count that all did. `lacking` says, in lines, which sums
    conflict and which trials have no result. `looked` says whether `--until-settled` collected the results.
    """

    factorial: Factorial
    metric: Metric
    margin: float
    tasks: tuple[str, ...]
    contributions: tuple[Effect, ...]
    interactions: tuple[Effect, ...]
    gain: Effect
    table: tuple[Row, ...]
    lacking: tuple[str, ...]
    looked: bool


def ablation(board: Leaderboard, found: Factorial) -> Ablation:
    """The ablation of a sum by the results in a leaderboard."""
    count = len(found.components)
    pairs = list(itertools.combinations(range(count), 2))
    rows = {row.strategy: row for row in board.overall}
    return Ablation(
        factorial=found,
        metric=board.metric,
        margin=board.margin,
        tasks=tuple(setting.label for setting in board.settings if _is_whole(setting, found)),
        contributions=_effects(board, found, {(i,): shapley(count, i) for i in range(count)}),
        interactions=_effects(board, found, {pair: interaction(count, *pair) for pair in pairs}),
        gain=_effects(board, found, {tuple(range(count)): _gain(found)})[0],
        table=tuple(rows[name] for spec in found.specs.values() if (name := board.name(spec)) in rows),
        lacking=tuple(_lacking(board, found)),
        looked=board.looked,
    )


def ablation_of(board: Leaderboard, spec: str) -> Ablation:
    """The ablation of a sum given as a text.

    Raises UsageError if no task has results of all sums of its components, and what `factorial` raises.
    """
    found = ablation(board, factorial(spec, get_registry()))
    if not found.tasks:
        raise UsageError(
            f"no task has results of all sums of {spec} ({'; '.join(found.lacking)}); `fsbench ablate` runs "
            "them"
        )
    return found


def _gain(found: Factorial) -> Weights:
    """The weights of the whole sum minus the baseline, in the trials that all sums did."""
    return {**dict.fromkeys(found.specs, 0.0), frozenset(): -1.0, found.whole: 1.0}


def _effects(
    board: Leaderboard, found: Factorial, wanted: Mapping[tuple[int, ...], Weights]
) -> tuple[Effect, ...]:
    """Effects of one kind, which are families of their own."""
    terms = {places: _terms(found, weights) for places, weights in wanted.items()}
    judged = contrasts(board.settings, terms, board.metric, board.margin)
    return tuple(Effect(found.names(places), tuple(rows)) for places, rows in judged.items())


def _terms(found: Factorial, weights: Weights) -> Callable[[Setting], Terms]:
    def terms(setting: Setting) -> Terms:
        if not _is_tried(setting, found):
            return ()
        return tuple((setting.entries[found.specs[subset]], weight) for subset, weight in weights.items())

    return terms


def _is_tried(setting: Setting, found: Factorial) -> bool:
    """Whether all sums were tried on a task, with or without success."""
    entries = [setting.entries.get(spec) for spec in found.specs.values()]
    return not found.conflicts and all(e is not None and (e.ok | e.failed).any() for e in entries)


def _is_whole(setting: Setting, found: Factorial) -> bool:
    """Whether there are trials that all sums did."""
    if not _is_tried(setting, found):
        return False
    return bool(np.all([setting.entries[spec].ok for spec in found.specs.values()], axis=0).any())


def _lacking(board: Leaderboard, found: Factorial) -> Iterator[str]:
    """Which sums conflict, which tasks lack the factorial, and what became of the trials there."""
    for subset, reason in found.conflicts.items():
        if not any(other < subset for other in found.conflicts):
            yield f"conflict: {reason}"
    without = [setting.label for setting in board.settings if not _is_whole(setting, found)]
    if without and not found.conflicts:
        yield f"no contributions on {some(without)}: there is no trial that all {len(found.specs)} sums did"
    names = {board.name(spec) for spec in found.specs.values()}
    yield from problem_lines([each for each in board.problems if each.strategy in names])
