"""`fsbench list`: everything that is installed, and the plugins that could not be loaded."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from fsbench.cli.listing_data import datasets, suites, tasks
from fsbench.cli.options import data_dir_option
from fsbench.cli.output import joined_facts, said_origin, show, table
from fsbench.errors import UnknownName, UsageError
from fsbench.families import ALL, CORE, FAMILIES, groups, membership
from fsbench.kinds import KINDS, kind_names
from fsbench.metrics import METRICS
from fsbench.params import is_range, tune_range
from fsbench.recipes.catalogue import BACKBONES
from fsbench.registry import SORTS, Registry, get_registry
from fsbench.sorts import HOUSE, Origin
from fsbench.spec import format_value
from fsbench.strategy import Strategy
from fsbench.tasks.protocols import PROTOCOLS
from fsbench.words import doc_summary, plural

if TYPE_CHECKING:
    from rich.console import RenderableType

_MOST = 40


@click.command("list", short_help="List strategies, datasets, suites and everything else.")
@click.argument("section", required=False, metavar="[SECTION]")
@click.option(
    "--explain", metavar="SPEC", help="With strategies: show what the components of a spec do in each stage."
)
@data_dir_option
def list_(section: str | None, explain: str | None) -> None:
    """List what is installed.

    SECTION is strategies, families, kinds, protocols, datasets, suites, tasks, backbones, metrics or plugins;
    without it, all of them. A family, core or all lists the strategies of that group. Entries that
    do not come with fsbench name their plugin; `fsbench list plugins` also shows plugins that could not be
    loaded.
    """
    if explain is not None:
        if section != "strategies":
            raise UsageError("--explain belongs to strategies: fsbench list strategies --explain SPEC")
        from fsbench.cli.explaining import explanation

        show(explanation(explain))
        return
    if section is not None and section in groups():
        show(strategies(membership(section)))
        return
    if section is not None and section not in SECTIONS:
        raise UnknownName("section", section, [*SECTIONS, *groups()])
    for number, name in enumerate([section] if section else SECTIONS):
        if number:
            click.echo()
        if section is None:
            click.secho(name, bold=True)
        show(SECTIONS[name]())


def strategies(wanted: Callable[[type[Strategy]], bool] = lambda cls: True) -> RenderableType:
    """Strategies by family, with their hyperparameters and ranges, what they use, and what they do."""
    from rich.console import Group
    from rich.text import Text

    registry = get_registry()
    rows = []
    order = ["", *FAMILIES]
    chosen = {name: cls for name, cls in registry.strategies.items() if wanted(cls)}
    for name, cls in sorted(chosen.items(), key=lambda item: (order.index(item[1].family), item[0])):
        strategy = cls()
        arguments = [
            f"{f.name}={format_value(getattr(strategy, f.name))}{_range(f)}"
            for f in dataclasses.fields(strategy)
        ]
        part = "runs in every table" if cls.baseline else "" if cls.in_all else "not part of all"
        facts = [", ".join(arguments), part, said_origin(registry.origin[name])]
        uses = ", ".join(sorted(strategy.uses)) or "-"
        rows.append((name, cls.family or "-", uses, doc_summary(cls), joined_facts(facts)))
    columns = ("strategy", "family", "uses", "what it does")
    return Group(table(columns, rows), Text("[0.0 to 5.0]: the range that --tune draws from", style="dim"))


def families() -> RenderableType:
    """Every group of strategies that `--plugins` takes by name, with its strategies."""
    strategies, about = get_registry().strategies, FAMILIES | {CORE: "the short list", ALL: "every strategy"}
    return table(
        ("family", "what it is about"),
        [
            (
                group,
                text,
                ", ".join(sorted(name for name, cls in strategies.items() if membership(group)(cls))),
            )
            for group, text in about.items()
        ],
    )


def _range(f: dataclasses.Field[Any]) -> str:
    """` [0.0 to 5.0]` or ` [a, b]`: the range of a field, if it has one."""
    tune = tune_range(f)
    between = " to " if is_range(f) else ", "
    return f" [{between.join(map(format_value, tune))}]" if tune else ""


def protocols() -> RenderableType:
    """Every protocol with its arguments."""
    rows = []
    for name, cls in sorted(PROTOCOLS.items()):
        fields = dataclasses.fields(cls)
        given = [f.name.upper() for f in fields if f.default is dataclasses.MISSING]
        others = [
            f"{f.name}={format_value(f.default)}" for f in fields if f.default is not dataclasses.MISSING
        ]
        call = f"{name}({', '.join(given + others)})"
        rows.append((name, cls.summary, joined_facts([call, said_origin(PROTOCOLS.origin(name))])))
    return table(("protocol", "what it does"), rows)


def kinds() -> RenderableType:
    """Every kind of samples with the backbone that its tasks start from and its symmetries."""
    rows = []
    for name, kind in sorted(KINDS.items()):
        facts = [f"symmetries: {', '.join(kind.symmetries)}" if kind.symmetries else ""]
        rows.append(
            (
                name,
                kind.recipe.backbone,
                joined_facts([doc_summary(type(kind)).rstrip("."), *facts, said_origin(KINDS.origin(name))]),
            )
        )
    return table(("kind", "backbone", "what a sample is"), rows)


def backbones() -> RenderableType:
    """Every backbone with its parameters, its input, and its pretrained weights."""
    rows = []
    for name, known in BACKBONES.items():
        about = " and ".join(kind for kind in kind_names() if known.takes(kind))
        about += f": {known.wants}" if known.wants else ""
        about += f"; weights: {', '.join(known.weights)}" if known.weights else ""
        size = "-" if known.parameters is None else f"{known.parameters:,}"
        rows.append((name, size, known.summary, joined_facts([about, said_origin(BACKBONES.origin(name))])))
    return table(("backbone", "parameters", "what it is"), rows)


def metrics() -> RenderableType:
    """Every metric with its meaning, its direction and its unit."""
    rows = []
    for name, metric in METRICS.items():
        facts = ["higher is better" if metric.higher_is_better else "lower is better"]
        facts += ["shown in %"] if metric.percent else []
        rows.append((name, metric.meaning, joined_facts([*facts, said_origin(METRICS.origin(name))])))
    return table(("metric", "what it measures"), rows)


def plugins() -> RenderableType:
    """The plugins with what they bring, and those that could not be loaded; fsbench itself is last."""
    from rich.text import Text

    registry = get_registry()
    rows: list[Sequence[str | Text]] = [
        (failure.plugin, "", Text(f"could not be loaded: {failure.message}", style="red"))
        for failure in registry.failures
    ]
    rows += [
        (origin.distribution, origin.version, "\n".join(f"{noun}: {names}" for noun, names in sorts.items()))
        for origin, sorts in sorted(_brought(registry).items(), key=_house_last)
    ]
    return table(("plugin", "version", "what it contains"), rows)


def _house_last(entry: tuple[Origin, object]) -> tuple[bool, Origin]:
    origin, _ = entry
    return origin.distribution == HOUSE, origin


def _brought(registry: Registry) -> dict[Origin, dict[str, str]]:
    """The names of each sort of thing by plugin; if there are very many, their number."""
    found: dict[Origin, dict[str, list[str]]] = {}
    for sort in SORTS:
        for name, each in sorted(registry.brought[sort.hook].items()):
            found.setdefault(each.origin, {}).setdefault(sort.noun, []).append(name)
    return {
        origin: {
            plural(len(names), noun): ", ".join(names[:_MOST]) + (", ..." if len(names) > _MOST else "")
            for noun, names in sorts.items()
        }
        for origin, sorts in found.items()
    }


SECTIONS = {
    "strategies": strategies,
    "families": families,
    "kinds": kinds,
    "protocols": protocols,
    "datasets": datasets,
    "suites": suites,
    "tasks": tasks,
    "backbones": backbones,
    "metrics": metrics,
    "plugins": plugins,
}
