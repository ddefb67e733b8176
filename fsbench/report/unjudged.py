"""The rows of a leaderboard with everything but the verdicts, for which all rows must be known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from fsbench.composition import BASELINE
from fsbench.metrics import Metric
from fsbench.report.baselines import WITHHELD
from fsbench.report.differences import Measured, Place, Placed, estimates, limits, minus, over_tasks, place_of
from fsbench.report.entries import Entry, Setting
from fsbench.report.rows import OVERALL, Row
from fsbench.report.stability import deviations, instability
from fsbench.words import plural


class Facts(NamedTuple):
    """What a row says about the trials of a strategy on a task, whatever the metric; see `Row`."""

    seconds: float | None
    cost: float | None
    peak_memory: float | None
    train_accuracy: float | None
    source_before: float | None
    source_after: float | None


def facts_of(found: Sequence[Setting]) -> dict[Place, Facts]:
    """The facts of each strategy on each task."""
    facts = {}
    for setting in found:
        entries = list(setting.entries.values())
        memory = np.stack([entry.numbers("peak_memory") for entry in entries])
        seconds = np.stack([entry.seconds for entry in entries])
        arrays = seconds, _costs(setting), np.where(memory > 0, memory, np.nan)
        for entry, *medians in zip(entries, *map(_medians, arrays), strict=True):
            means = [_mean(entry.numbers(name)) for name in Facts._fields[3:]]
            facts[place_of(setting, entry)] = Facts(*medians, *means)
    return facts


def task_rows(
    found: Sequence[Setting], metric: Metric, table: Measured, facts: Mapping[Place, Facts]
) -> list[Row]:
    """The row of each strategy on each task."""
    scores, gains = (
        dict(zip(each, estimates(list(each.values()), [ends] * len(each), prior), strict=True))
        for each, ends, prior in (
            (table.scores, limits(metric, 1), table.score_prior),
            (table.gains, limits(metric, 2), table.gain_prior),
        )
    )
    rows = []
    for setting in found:
        spreads = deviations(setting, metric)
        for entry, (between, within) in zip(setting.entries.values(), spreads, strict=True):
            place, values = place_of(setting, entry), entry.values(metric.name)
            row = Row(
                task=setting.task,
                recipe=setting.recipe,
                strategy=entry.strategy,
                uses=tuple(sorted(entry.uses)),
                score=scores[place],
                difference=gains.get(place),
                done=int(np.isfinite(values).sum()),
                planned=len(values),
                ok=entry.count("ok"),
                failed=entry.count("failed"),
                skipped=entry.count("skipped"),
                complete=setting.is_complete(entry.strategy, metric.name),
                matched=setting.is_complete(BASELINE, metric.name),
                lost=gains.get(place) is None and _lost([(setting, entry)], metric),
                full_spec=entry.full_spec,
                verdict=_withheld([(setting, entry)], metric),
                unstable=instability(values, metric),
                split_deviation=between,
                init_deviation=within,
                **facts[place]._asdict(),
            )
            rows.append(row)
    return rows


def overall_rows(found: Sequence[Setting], strategies: Sequence[str], metric: Metric) -> list[Row]:
    """The row of each strategy over the tasks that it did, compared with the baseline on just these tasks."""
    done = {name: [(s, s.entries[name]) for s in found if name in s.entries] for name in strategies}
    complete = {name: _is_complete(done[name], len(found), metric) for name in strategies}
    alone: dict[str, list[Placed]] = {
        name: [(s, minus(entry, None)) for s, entry in done[name]] for name in strategies if complete[name]
    }
    paired: dict[str, list[Placed]] = {
        name: [(s, minus(entry, s.baseline)) for s, entry in done[name] if BASELINE in s.entries]
        for name in strategies
        if name != BASELINE
    }
    scores, gains = (
        dict(zip(each, over_tasks(list(each.values()), metric), strict=True)) for each in (alone, paired)
    )
    costs = {
        (s.task, s.recipe, name): cost for s in found for name, cost in zip(s.entries, _costs(s), strict=True)
    }
    return [
        Row(
            task=OVERALL,
            recipe="",
            strategy=name,
            uses=tuple(sorted({use for _, entry in entries for use in entry.uses})),
            score=scores.get(name),
            difference=gains.get(name),
            done=sum(bool(np.isfinite(entry.values(metric.name)).any()) for _, entry in entries),
            planned=len(found),
            ok=sum(entry.count("ok") for _, entry in entries),
            failed=sum(entry.count("failed") for _, entry in entries),
            skipped=sum(entry.count("skipped") for _, entry in entries),
            seconds=_median(np.concatenate([entry.seconds for _, entry in entries])),
            complete=complete[name],
            matched=all(setting.is_complete(BASELINE, metric.name) for setting, _ in entries),
            lost=gains.get(name) is None and _lost(entries, metric),
            cost=_median(np.concatenate([costs[s.task, s.recipe, name] for s, _ in entries])),
            full_spec=entries[0][1].full_spec,
            verdict=_withheld(entries, metric),
        )
        for name, entries in done.items()
    ]


def _is_complete(entries: Sequence[tuple[Setting, Entry]], tasks: int, metric: Metric) -> bool:
    """Whether a strategy has a result in every trial of every task."""
    return len(entries) == tasks and all(s.is_complete(e.strategy, metric.name) for s, e in entries)


def _lost(entries: Sequence[tuple[Setting, Entry]], metric: Metric) -> bool:
    """Whether a comparison with the baseline lost trials, which failed or have no value; no skip is one."""
    return any(
        s.lacks(entry, metric.name) or (entry.ok.any() and s.lacks(s.baseline, metric.name))
        for s, entry in entries
        if BASELINE in s.entries and entry.strategy != BASELINE
    )


def _withheld(entries: Sequence[tuple[Setting, Entry]], metric: Metric) -> str:
    """Why there is no verdict, or "none": trials failed or have no value, or all splits train on the same."""
    ours = sum(entry.count("failed") for _, entry in entries)
    theirs = sum(setting.baseline.count("failed") for setting, _ in entries)
    undefined = sum(s.undefined(e, metric.name) + s.undefined(s.baseline, metric.name) for s, e in entries)
    same = sum(setting.splits.same for setting, _ in entries)
    why = [f"{ours} failed"] * bool(ours) + [f"{theirs} of {BASELINE} failed"] * bool(theirs)
    why += [f"{undefined} without a value"] * bool(undefined)
    why += ["equal splits" if len(entries) == 1 else f"equal splits of {plural(same, 'task')}"] * bool(same)
    return f"{WITHHELD}: {', '.join(why)}" if why else "none"


def _costs(setting: Setting) -> np.ndarray:
    """Seconds of each strategy over the baseline's, `[S, P]`; NaN where they cannot be compared."""
    return np.stack([entry.cost(setting.baseline) for entry in setting.entries.values()])


def _medians(values: np.ndarray) -> list[float | None]:
    """The median of the known values of each row `[S, P]`."""
    ordered, known = np.sort(values, axis=1), np.isfinite(values).sum(1)
    ends = np.stack([known - 1, known]) // 2
    middle = np.take_along_axis(ordered, np.maximum(ends, 0).T, axis=1).mean(1)
    return [each if count else None for each, count in zip(middle.tolist(), known.tolist(), strict=True)]


def _median(values: np.ndarray) -> float | None:
    (found,) = _medians(values[None])
    return found


def _mean(values: np.ndarray) -> float | None:
    found = values[np.isfinite(values)]
    return math.fsum(found) / len(found) if len(found) else None
