"""An ablation as a sheet: sentences, tables, and numbers for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fsbench.composition import BASELINE
from fsbench.metrics import Metric
from fsbench.report import text
from fsbench.report.ablation import Ablation, Effect
from fsbench.report.contrasts import Contrast
from fsbench.report.looking import COLLECTED
from fsbench.report.rows import OVERALL, rounded
from fsbench.report.sheets import Section, Sheet
from fsbench.words import plural

TOGETHER = " × "
INTERACTION_WORDS = {"helps": "reinforce", "hurts": "weaken", "equivalent": "additive"}
_RIGHT = frozenset({"p", "done"})
_NAMES = frozenset({"component", "components", "strategy", "task"})


def sheet_of(found: Ablation) -> Sheet:
    """The sheet of an ablation."""
    kinds = {
        "gain": (found.gain,),
        "contribution": found.contributions,
        "interaction": found.interactions,
    }
    rows = [
        _data(kind, effect, row, found)
        for kind, effects in kinds.items()
        for effect in effects
        for row in effect.rows
    ]
    return Sheet(
        title=f"Ablation: {spec_of(found)}",
        lines=tuple(_lines(found)),
        sections=tuple(_sections(found)),
        rows=rows,
        data={
            "components": list(found.factorial.components),
            "metric": found.metric.name,
            "margin": found.margin,
            "tasks": list(found.tasks),
            "effects": rows,
            "factorial": [row.to_dict() for row in found.table],
            "lacking": list(found.lacking),
        },
    )


def spec_of(found: Ablation) -> str:
    """The sum."""
    return "+".join(found.factorial.components)


def verdict_of(effect: Effect, row: Contrast) -> str:
    """The verdict on an effect; that on an interaction says what two components do to each other."""
    return INTERACTION_WORDS.get(row.verdict, row.verdict) if len(effect.components) > 1 else row.verdict


def _lines(found: Ablation) -> Iterator[str]:
    whole = found.gain.overall
    if whole is None:
        yield "There is no task with results of all sums of the components, so no contributions."
        return
    tasks = plural(len(found.tasks), "task")
    change = f"{found.metric.title} by {_interval(whole, found.metric)}"
    yield f"All components together change the {change} on {tasks}, against {BASELINE}: {whole.verdict}."
    parts = [(effect, row) for effect in found.contributions if (row := effect.overall)]
    shown = [
        f"{effect.components[0]} {_interval(row, found.metric)} ({row.verdict})" for effect, row in parts
    ]
    yield f"Contributions: {', '.join(shown)}."
    if found.looked:
        yield f"The results folder {COLLECTED}, which these p-values do not take into account."


def _sections(found: Ablation) -> Iterator[Section]:
    if found.table:
        columns = "strategy", "score", "vs erm", "verdict", "done"
        shown = [text.shown(row, found.metric) for row in found.table]
        rows = tuple(tuple(each[name] for name in columns) for each in shown)
        yield Section("All sums, over tasks", (), columns, rows, _RIGHT, _NAMES)
    if found.gain.overall:
        yield _table(
            "Contributions over tasks (Shapley values)", "component", found.contributions, found.metric
        )
        yield _table("Interactions over tasks", "components", found.interactions, found.metric)
        if len(found.tasks) > 1:
            yield _table("Contributions by task", "component", found.contributions, found.metric, True)
            yield _table("Interactions by task", "components", found.interactions, found.metric, True)
    if found.lacking:
        yield Section("Without a result", found.lacking)
    yield Section("How to read this", tuple(_legend(found)), folded=True)


def _table(title: str, of: str, effects: Sequence[Effect], metric: Metric, by_task: bool = False) -> Section:
    name = "contribution" if of == "component" else "interaction"
    columns = (of, *["task"] * by_task, name, "verdict", "p")
    rows = []
    for effect in effects:
        for row in effect.rows:
            if (row.task != OVERALL) == by_task:
                place = (row.task,) if by_task else ()
                value = _interval(row, metric)
                rows.append(
                    (TOGETHER.join(effect.components), *place, value, verdict_of(effect, row), f"{row.p:.2g}")
                )
    return Section(title, (), columns, tuple(rows), _RIGHT, _NAMES, folded=by_task)


def _interval(row: Contrast, metric: Metric) -> str:
    return text.interval(row.estimate, metric, sign=True)


def _legend(found: Ablation) -> Iterator[str]:
    margin = text.margin(found.margin, found.metric)
    yield (
        "contribution: the Shapley value, which is what a component adds to the score of those before it, "
        f"averaged over all orders; the contributions add up to the gain of the whole sum over {BASELINE}"
    )
    yield (
        "interaction: what two components add together beyond what each adds alone, averaged over the sets "
        "of the others: reinforce if they gain more together, weaken if less, additive if it is "
        f"significantly within {margin}"
    )
    yield (
        "±: the half-width of the 95 % interval of the paired values by split; p and verdict are corrected "
        "(Holm) for all contributions, or interactions, over tasks, or on tasks"
    )


def _data(kind: str, effect: Effect, row: Contrast, found: Ablation) -> dict[str, Any]:
    return {
        "effect": kind,
        "components": TOGETHER.join(effect.components) if kind != "gain" else spec_of(found),
        "task": row.task,
        "value": rounded(row.estimate.mean),
        "low": rounded(row.estimate.low),
        "high": rounded(row.estimate.high),
        "p_adjusted": rounded(row.p),
        "verdict": verdict_of(effect, row) if kind == "interaction" else row.verdict,
        "split_seeds": row.estimate.n,
    }
