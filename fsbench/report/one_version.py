"""Records of one version of the code: old results are never averaged, or compared, with new ones.

A full spec says both what was asked for and which code ran (`fsbench.code`). A table shows one version of the
core of fsbench, one of the kind of samples of each task, one of the backbone of each recipe, and one of each
strategy: the installed version, if there are records of it, or else that of the latest record.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from fsbench.code import CodeParts, core_mark, split_marks
from fsbench.columns import Columns, Shared, of_records
from fsbench.errors import FsbenchError
from fsbench.identity import backbone_mark, kind_mark, metric_marks, searched_spec
from fsbench.recipes.recipe import parse_recipe
from fsbench.record import Record
from fsbench.registry import get_registry
from fsbench.report.names import identity
from fsbench.tasks.expressions import parse_tasks
from fsbench.tuning.space import space_mark
from fsbench.tuning.tuned import row_name
from fsbench.words import plural

Given = tuple[Shared, CodeParts, str]
"""What some records share, the parts of their full spec, and when the newest was created."""


def of_one_version(columns: Columns, of_spec: bool = False) -> tuple[Columns, list[str]]:
    """The records that one table can show, in their order, and a line about those it leaves out, if any.

    With `of_spec` there is also one version of each spec, which may mean something else with other defaults.
    What was skipped everywhere, such as for lack of weights, gives way to what ran with other contents or
    code.
    """
    columns = _without_superseded(columns)
    given = [
        (shared, split_marks(identity(shared)), created)
        for shared, created in zip(columns.shared, columns.latest, strict=True)
    ]
    kept: Sequence[Given] = given
    for group_of, part, version_now in (*_CHOICES, *[_OF_SPEC] * of_spec):
        kept = _choose(kept, group_of, part, version_now)
    shown = {shared for shared, *_ in kept}
    left_out: Counter[str] = Counter()
    for shared, count in zip(columns.shared, columns.counts.tolist(), strict=True):
        if shared not in shown:
            left_out[row_name(shared.spec, shared.tuning)] += count
    if not left_out:
        return columns, []
    names = ", ".join(f"{spec} {count}" for spec, count in sorted(left_out.items()))
    total = plural(left_out.total(), "record")
    line = f"left out: {total} of other versions of the code ({names})"
    if not of_spec:
        line += "; --all-versions (all_versions=True) shows them"
    return columns.select([shared in shown for shared in columns.shared]), [line]


def records_of_one_version(
    records: Sequence[Record], of_spec: bool = False
) -> tuple[list[Record], list[str]]:
    """`of_one_version` of whole records."""
    columns = of_records(records, ())
    found, lines = of_one_version(columns, of_spec)
    shown = set(found.shared)
    kept = zip(records, columns.code, strict=True)
    return [record for record, code in kept if columns.shared[code] in shown], lines


def _without_superseded(columns: Columns) -> Columns:
    """The records without those of specs with contents or code with which nothing ran, if others ran."""
    strategies = [split_marks(identity(shared)).strategy for shared in columns.shared]
    ran: dict[tuple[str, str], set[str]] = defaultdict(set)
    for shared, strategy in zip(columns.shared, strategies, strict=True):
        if shared.status != "skipped":
            ran[shared.spec, shared.tuning].add(strategy)
    kept = [
        strategy in ran.get((shared.spec, shared.tuning), {strategy})
        for shared, strategy in zip(columns.shared, strategies, strict=True)
    ]
    return columns if all(kept) else columns.select(kept)


def is_installed(shared: Shared) -> bool:
    """Whether records are of the installed version of their strategy; also if no version is installed."""
    try:
        return split_marks(identity(shared)).strategy == _strategy_now(shared)
    except FsbenchError:
        return True


def of_one_measure(columns: Columns, metric: str) -> tuple[Columns, list[str]]:
    """The records without the values that other code of a metric computed, and a line about them."""
    now = metric_marks(get_registry()).get(metric, "")
    other = np.array([dict(shared.metric_codes).get(metric, "") != now for shared in columns.shared], bool)
    left_out = other[columns.code] & ~np.isnan(columns.values[metric])
    if not left_out.any():
        return columns, []
    values = columns.values | {metric: np.where(left_out, np.nan, columns.values[metric])}
    count = plural(int(left_out.sum()), "value")
    line = (
        f"left out: {count} of {metric}, computed by another version of its code; run in a new results folder"
    )
    return replace(columns, values=values), [line]


def _choose(
    given: Sequence[Given],
    group_of: Callable[[Shared, CodeParts], str],
    part: str,
    version_now: Callable[[Shared], str],
) -> list[Given]:
    """In each group, the records of one version of a part."""
    groups: dict[str, dict[str, list[Given]]] = defaultdict(lambda: defaultdict(list))
    for each in given:
        groups[group_of(*each[:2])][getattr(each[1], part)].append(each)
    chosen = {group: _one_of(versions, version_now) for group, versions in groups.items()}
    return [each for each in given if chosen[group_of(*each[:2])] == getattr(each[1], part)]


def _one_of(versions: dict[str, list[Given]], version_now: Callable[[Shared], str]) -> str:
    if len(versions) == 1:
        return next(iter(versions))
    try:
        now = version_now(next(iter(versions.values()))[0][0])
    except FsbenchError:  # no longer installed, or a file that is missing
        now = ""
    if now in versions:
        return now
    return max(versions, key=lambda version: (max(newest for *_, newest in versions[version]), version))


def _core_now(record: Shared) -> str:
    return core_mark()


def _kind_now(record: Shared) -> str:
    (task,) = parse_tasks(record.task)
    return kind_mark(get_registry(), task.info.kind)


def _backbone_now(record: Shared) -> str:
    return backbone_mark(get_registry(), parse_recipe(record.recipe))


def _strategy_now(record: Shared) -> str:
    (composition,) = get_registry().parse(record.spec)
    return searched_spec(composition, space_mark(composition) if record.tuning else "")


_Choice = tuple[Callable[[Shared, CodeParts], str], str, Callable[[Shared], str]]
_CHOICES: tuple[_Choice, ...] = (
    (lambda record, parts: "", "core", _core_now),
    (lambda record, parts: record.task, "kind", _kind_now),
    (lambda record, parts: record.recipe, "backbone", _backbone_now),
    (lambda record, parts: parts.asked, "strategy", _strategy_now),
)
"""How records are grouped, the part of a full spec with their version, and the installed version."""
_OF_SPEC: _Choice = (lambda record, parts: record.spec, "strategy", _strategy_now)
