"""The gallery: a page for each strategy, made from its class and from what leaderboards say about it."""

from __future__ import annotations

import dataclasses
import inspect
import math
import typing
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from fsbench.families import FAMILIES, title
from fsbench.kinds import kind_names
from fsbench.params import is_range, tune_range
from fsbench.registry import Registry
from fsbench.report import text as words
from fsbench.report.rows import Row
from fsbench.site.findings import Finding, Findings
from fsbench.site.pages import Page, code, page, repository, sentence, table, text
from fsbench.sorts import HOUSE, Origin
from fsbench.spec import format_value
from fsbench.stages import STAGES
from fsbench.strategy import Strategy, excludes, overrides
from fsbench.tasks.expressions import parse_tasks
from fsbench.words import doc_summary, plural

FOLDER = "strategies"
_PART = "Strategies"
_TASKS = (
    "kshot(digits, k=5, source=mnist5k(size=8)), kshot(wine, k=5), kshot(docstrings, k=10), "
    "kshot(digits, k=5, unlabeled=all), longtail(digits, ir=20), longtail(breast_cancer, ir=20), "
    "shift(digits, mnist5k(size=8), share=0.5)"
)
"""Tasks to try a strategy on; the first that it does not skip is named."""
_OTHERS = "without a family"


def pages(registry: Registry, findings: Findings) -> Iterator[Page]:
    """The index, and a page for each strategy of any plugin."""
    found, tasks = _by_family(registry), parse_tasks(_TASKS)
    yield page(f"{FOLDER}.md", _index(found, findings), _PART, "All strategies")
    for family, names in found.items():
        for name, cls in names.items():
            (alone,) = registry.parse(name)
            task = next((each.text for each in tasks if alone.skip(each.info) is None), "")
            lines = _lines(name, cls, registry.origin[name], findings, task)
            yield page(f"{FOLDER}/{name}.md", lines, _PART, _title(family), name)


def _by_family(registry: Registry) -> dict[str, dict[str, type[Strategy]]]:
    """The strategies of each family, in the order of families."""
    found: dict[str, dict[str, type[Strategy]]] = {family: {} for family in (*FAMILIES, "")}
    for name, cls in sorted(registry.strategies.items()):
        found[cls.family][name] = cls
    return {family: names for family, names in found.items() if names}


def _index(found: dict[str, dict[str, type[Strategy]]], findings: Findings) -> Iterator[str]:
    count = sum(map(len, found.values()))
    yield from ("# Strategies", "")
    yield f"{plural(count, 'strategy')} are installed. Each page says what a strategy does, which arguments"
    yield "it takes, and on which tasks of the leaderboards it helped and hurt. Combine strategies with `+`."
    for family, names in found.items():
        yield from ("", f"## {_title(family)}", "")
        if family:
            yield from (f"{FAMILIES[family].capitalize()}.", "")
        yield from table(
            ("strategy", "what it does", "uses", "helps", "hurts"),
            (_row(name, cls, findings.of(name)) for name, cls in names.items()),
        )


def _title(family: str) -> str:
    return title(family or _OTHERS)


def _row(name: str, cls: type[Strategy], found: Sequence[Finding]) -> tuple[str, ...]:
    alone = _on_tasks(row for each in found if each.alone for row in each.rows if row.done)
    counts = (sum(row.verdict == verdict for row in alone) for verdict in ("helps", "hurts"))
    shown = (f"{count} of {plural(len(alone), 'task')}" if alone else words.NOTHING for count in counts)
    return (f"[{code(name)}]({FOLDER}/{name}.md)", sentence(doc_summary(cls)), text(_uses(cls)), *shown)


def _on_tasks(rows: Iterable[Row]) -> list[Row]:
    """One row for each task, which several leaderboards may have: that with the most split seeds."""
    found: dict[str, Row] = {}
    for row in sorted(rows, key=lambda row: row.score.n if row.score else 0):
        found[row.task] = row
    return list(found.values())


def _uses(cls: type[Strategy]) -> str:
    return ", ".join(each.replace("_", " ") for each in sorted(cls().uses)) or words.NOTHING


def _lines(name: str, cls: type[Strategy], origin: Origin, findings: Findings, task: str) -> Iterator[str]:
    summary, _, rest = (inspect.getdoc(cls) or "").partition("\n")
    yield from (f"# {code(name)}", "", sentence(summary), "", *rest.strip().splitlines(), "")
    yield from (f"- **{label}**: {fact}" for label, fact in _facts(name, cls, origin, task))
    yield from ("", "## Arguments", "")
    fields = dataclasses.fields(cls)
    if fields:
        yield from table(
            ("argument", "default", "allowed", "range that `--tune` draws from"),
            (_argument(cls(), each) for each in fields),
        )
    else:
        yield "It takes none."
    yield from ("", "## Stages", "")
    rows = list(_stages(cls))
    if rows:
        yield from table(("stage", "what it does there", "from → to", "how several compose"), rows)
    else:
        yield "It changes none."
    yield from ("", "## On the leaderboards", "")
    yield from _verdicts(findings.of(name))
    yield from ("", "## Source", "")
    yield from _source(cls, origin)


def _facts(name: str, cls: type[Strategy], origin: Origin, task: str) -> Iterator[tuple[str, str]]:
    if cls.family:
        yield "Family", f"[{text(_title(cls.family))}](../{FOLDER}.md#{cls.family.replace('_', '-')})"
    yield "Uses beyond the labels", text(_uses(cls))
    kinds = [kind for kind in kind_names() if excludes(cls(), kind) is None]
    yield "Works on", text(", ".join(kinds))
    if cls.baseline:
        yield "In every table", "yes, as a baseline"
    elif not cls.in_all:
        yield "In `--plugins all`", "no"
    if cls.cite:
        yield "Source of the method", text(cls.cite)
    yield "From", text(f"{origin.distribution} {origin.version}")
    if task:
        yield "Try it", f'`fsbench run --plugins {name} --tasks "{task}"`'


def _argument(strategy: Strategy, field: dataclasses.Field[Any]) -> tuple[str, ...]:
    low, high = (field.metadata.get(each) for each in ("low", "high"))
    choices = field.metadata.get("choices") or _literals(typing.get_type_hints(type(strategy))[field.name])
    bounds = [f"at least {low}"] * (low is not None) + [f"at most {high}"] * (high is not None)
    allowed = ", ".join(map(format_value, choices)) if choices else ", ".join(bounds)
    if field.metadata.get("spec"):
        allowed = "strategies"
    if field.metadata.get("backbone"):
        allowed = "a backbone"
    tune = tune_range(field)
    drawn = (" to " if is_range(field) else ", ").join(map(format_value, tune))
    default = format_value(getattr(strategy, field.name))
    return code(field.name), code(default) if default else "", text(allowed), text(drawn)


def _literals(hint: Any) -> tuple[Any, ...]:
    """The values that a type lists: those of `Literal`, also in a union with None; none of other types."""
    if typing.get_origin(hint) is typing.Literal:
        return typing.get_args(hint)
    parts = [each for each in typing.get_args(hint) if each is not type(None)]
    return _literals(parts[0]) if len(parts) == 1 else ()


def _stages(cls: type[Strategy]) -> Iterator[tuple[str, ...]]:
    for stage in STAGES.values():
        if overrides(cls(), stage.name):
            said = inspect.getdoc(vars(cls).get(stage.name) or getattr(Strategy, stage.name)) or ""
            owned = stage.name in cls.replaces
            law = "it replaces what is innermost" if owned else stage.composed
            first = said.partition("\n\n")[0].replace("\n", " ")
            yield code(stage.name), sentence(first), text(f"{stage.takes} → {stage.gives}"), text(law)


def _verdicts(found: Sequence[Finding]) -> Iterator[str]:
    if not found:
        yield "No leaderboard here has results of it."
    for each in found:
        link = f"[{text(each.board.name)}](../leaderboards/{each.board.name}.md)"
        yield from ("", f"### {code(each.strategy)} on {link}", "", f"{text(each.said)}.", "")
        yield from _rows(each, [row for row in each.rows if row.verdict in ("helps", "hurts", "equivalent")])
        others = [row for row in each.rows if row.done and row.verdict == "not settled"]
        if others:
            yield from ("", f'??? note "Not settled on {plural(len(others), "task")}"', "")
            yield from (f"    {line}" for line in _rows(each, others))
        withheld = [row for row in each.rows if row.done and row.verdict.startswith("withheld")]
        if withheld:
            yield from ("", f"Withheld on {plural(len(withheld), 'task')}:", "")
            yield from _rows(each, withheld)
        absent: dict[str, list[str]] = {}
        for row in each.rows:
            if not row.done:
                absent.setdefault(words.verdict(row), []).append(row.task)
        for why, tasks in absent.items():
            yield from ("", text(f"{why.capitalize()} on {', '.join(tasks)}."))


def _verdict(row: Row) -> str:
    name = row.verdict.partition(":")[0].replace(" ", "-")
    return f'<span class="verdict {name}">{text(words.verdict(row))}</span>'


def _rows(found: Finding, rows: Iterable[Row]) -> Iterator[str]:
    metric = found.board.main.metric
    shown = [
        (
            code(found.label(row)),
            text(words.interval(row.score, metric)),
            text(words.difference(row, metric)),
            _verdict(row),
        )
        for row in sorted(rows, key=lambda row: -row.difference.mean if row.difference else math.inf)
    ]
    if shown:
        yield from table(("task", "score", "vs erm", "verdict"), shown)


def _source(cls: type[Strategy], origin: Origin) -> Iterator[str]:
    try:
        lines, first = inspect.getsourcelines(cls)
    except (OSError, TypeError):
        yield "Its source is not installed as text."
        return
    module = cls.__module__
    url = repository(origin.distribution)
    if url and origin.distribution == HOUSE:
        place = f"plugins/{module.replace('.', '/')}.py"
        yield f"[{text(place)}, line {first}]({url}/blob/main/{place}#L{first})"
    elif url:
        yield f"[{text(origin.distribution)}]({url})"
    fence = "`" * 8
    yield from ("", f'??? quote "{text(f"{module}.{cls.__qualname__}")}"', "", f"    {fence}python")
    yield from (f"    {line.rstrip()}" for line in lines)
    yield f"    {fence}"
