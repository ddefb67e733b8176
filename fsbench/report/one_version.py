"""Records of one version of the code: old results are never averaged, or compared, with new ones.

A full spec says both what was asked for and which code ran (`fsbench.code`). A table shows one version of the
core of fsbench, one of the kind of samples of each task, one of the backbone of each recipe, and one of each
strategy: the installed version, if there are records of it, or else that of the latest record.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from fsbench.code import CodeParts, core_mark, split_marks
from fsbench.errors import FsbenchError
from fsbench.identity import backbone_mark, kind_mark, metric_marks
from fsbench.recipes.recipe import parse_recipe
from fsbench.registry import get_registry
from fsbench.report.names import identity
from fsbench.tasks.expressions import parse_tasks
from fsbench.types import Record
from fsbench.words import plural

Given = tuple[Record, CodeParts]


def of_one_version(records: Iterable[Record]) -> tuple[list[Record], list[str]]:
    """The records that one table can show, in their order, and a line about those it leaves out, if any."""
    given = [(record, split_marks(identity(record))) for record in records]
    kept = given
    for group_of, part, version_now in _CHOICES:
        kept = _choose(kept, group_of, part, version_now)
    left_out = Counter(record.spec for record, _ in given) - Counter(record.spec for record, _ in kept)
    if not left_out:
        return [record for record, _ in kept], []
    names = ", ".join(f"{spec} {count}" for spec, count in sorted(left_out.items()))
    total = plural(left_out.total(), "record")
    line = (
        f"left out: {total} of other versions of the code ({names}); --all-versions (all_versions=True) "
        "shows them"
    )
    return [record for record, _ in kept], [line]


def of_one_measure(records: Iterable[Record], metric: str) -> tuple[list[Record], list[str]]:
    """The records without the values that other code of a metric computed, and a line about them."""
    found, now, others = [], metric_marks(get_registry()).get(metric, ""), 0
    for record in records:
        if metric in record.metrics and record.metric_codes.get(metric, "") != now:
            kept = {name: value for name, value in record.metrics.items() if name != metric}
            record, others = replace(record, metrics=kept), others + 1
        found.append(record)
    count = plural(others, "value")
    line = (
        f"left out: {count} of {metric}, computed by another version of its code; run in a new results folder"
    )
    return found, [line] if others else []


def _choose(
    given: Sequence[Given], group_of: Callable[..., str], part: str, version_now: Callable[[Record], str]
) -> list[Given]:
    """In each group, the records of one version of a part."""
    groups: dict[str, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record, parts in given:
        groups[group_of(record, parts)][getattr(parts, part)].append(record)
    chosen = {group: _one_of(versions, version_now) for group, versions in groups.items()}
    return [each for each in given if chosen[group_of(*each)] == getattr(each[1], part)]


def _one_of(versions: dict[str, list[Record]], version_now: Callable[[Record], str]) -> str:
    if len(versions) == 1:
        return next(iter(versions))
    try:
        now = version_now(next(iter(versions.values()))[0])
    except FsbenchError:  # no longer installed, or a file that is missing
        now = ""
    if now in versions:
        return now
    return max(versions, key=lambda version: (max(r.created for r in versions[version]), version))


def _core_now(record: Record) -> str:
    return core_mark()


def _kind_now(record: Record) -> str:
    (task,) = parse_tasks(record.task)
    return kind_mark(get_registry(), task.info.kind)


def _backbone_now(record: Record) -> str:
    return backbone_mark(get_registry(), parse_recipe(record.recipe))


def _strategy_now(record: Record) -> str:
    (composition,) = get_registry().parse(record.spec)
    return composition.full_spec


_CHOICES: tuple[tuple[Callable[..., str], str, Callable[[Record], str]], ...] = (
    (lambda record, parts: "", "core", _core_now),
    (lambda record, parts: record.task, "kind", _kind_now),
    (lambda record, parts: record.recipe, "backbone", _backbone_now),
    (lambda record, parts: parts.asked, "strategy", _strategy_now),
)
"""How records are grouped, the part of a full spec with their version, and the installed version."""
