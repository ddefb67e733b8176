"""`fsbench list`: everything that is installed, and the plugins that could not be loaded."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from fsbench.cli.options import data_dir_option
from fsbench.cli.output import say, show, table
from fsbench.errors import FsbenchError, UnknownName, UsageError
from fsbench.sorts import HOUSE, Origin
from fsbench.spec import format_value
from fsbench.strategy import is_span, tune_range
from fsbench.words import plural

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fsbench.datasets.about import About
    from fsbench.registry import Registry
    from fsbench.tasks.suites import Suite

_MOST = 40


@click.command("list", short_help="List strategies, datasets, suites and everything else.")
@click.argument("section", required=False, metavar="[SECTION]")
@click.option(
    "--explain", metavar="SPEC", help="With strategies: show what the components of a spec do in each stage."
)
@data_dir_option
def list_(section: str | None, explain: str | None) -> None:
    """List what is installed.

    SECTION is strategies, kinds, protocols, datasets, suites, tasks, backbones, metrics or plugins; without
    it, all of them. Entries of a plugin name it; plugins also shows those that could not be loaded.
    """
    if explain is not None:
        if section != "strategies":
            raise UsageError("--explain belongs to strategies: fsbench list strategies --explain SPEC")
        from fsbench.cli.explaining import explanation

        show(explanation(explain))
        return
    if section is not None and section not in SECTIONS:
        raise UnknownName("section", section, SECTIONS)
    for number, name in enumerate([section] if section else SECTIONS):
        if number:
            click.echo()
        if section is None:
            click.secho(name, bold=True)
        show(SECTIONS[name]())


def strategies() -> RenderableType:
    """Every strategy with its hyperparameters and their ranges, what it uses, and what it does."""
    from rich.console import Group
    from rich.text import Text

    from fsbench.registry import get_registry

    registry = get_registry()
    rows = []
    for name, cls in sorted(registry.strategies.items()):
        strategy = cls()
        arguments = [
            f"{f.name}={format_value(getattr(strategy, f.name))}{_range(f)}"
            for f in dataclasses.fields(strategy)
        ]
        part = "runs in every table" if cls.baseline else "" if cls.in_all else "not part of all"
        facts = [", ".join(arguments), part, _from(registry.origin[name])]
        rows.append((name, ", ".join(sorted(strategy.uses)) or "-", _first_line(cls), _joined(facts)))
    listed = table(("strategy", "uses", "what it does"), rows)
    return Group(listed, Text("[0.0 to 5.0]: the range that --tune draws from", style="dim"))


def _range(f: dataclasses.Field[Any]) -> str:
    """` [0.0 to 5.0]` or ` [a, b]`: the range of a field, if it has one."""
    tune = tune_range(f)
    between = " to " if is_span(tune) else ", "
    return f" [{between.join(map(format_value, tune))}]" if tune else ""


def protocols() -> RenderableType:
    """Every protocol with its arguments."""
    from fsbench.tasks.protocols import PROTOCOLS

    rows = []
    for name, cls in sorted(PROTOCOLS.items()):
        fields = dataclasses.fields(cls)
        given = [f.name.upper() for f in fields if f.default is dataclasses.MISSING]
        others = [
            f"{f.name}={format_value(f.default)}" for f in fields if f.default is not dataclasses.MISSING
        ]
        call = f"{name}({', '.join(given + others)})"
        rows.append((name, cls.summary, _joined([call, _from(PROTOCOLS.origin(name))])))
    return table(("protocol", "what it does"), rows)


def kinds() -> RenderableType:
    """Every kind of samples with the backbone that its tasks start from and its symmetries."""
    from fsbench.kinds import KINDS

    rows = []
    for name, kind in sorted(KINDS.items()):
        facts = [f"symmetries: {', '.join(kind.symmetries)}" if kind.symmetries else ""]
        rows.append(
            (
                name,
                kind.recipe.backbone,
                _joined([_first_line(type(kind)).rstrip("."), *facts, _from(KINDS.origin(name))]),
            )
        )
    return table(("kind", "backbone", "what a sample is"), rows)


def datasets() -> RenderableType:
    """Every dataset: whether it is on this machine, its classes, download size, licence and arguments."""
    from rich.console import Group
    from rich.text import Text

    from fsbench.datasets.known import DATASETS, about, dataset_names

    collections: dict[str, list[str]] = {}
    for name in dataset_names():
        collections.setdefault(DATASETS[name].collection, []).append(name)
    alone = [about(name) for name in collections.pop("", [])]
    rows = [(each.name, _whether_here(each.name), each.description, _facts(each)) for each in alone]
    lines = [_collection(*each) for each in collections.items()]
    return Group(
        table(("dataset", "here", "what it is"), rows),
        *(
            Text(text, style)
            for heading, names in lines
            for text, style in ((f"\n{heading}", ""), (names, "dim"))
        ),
    )


def _collection(title: str, names: Sequence[str]) -> tuple[str, str]:
    """One description for all datasets of a collection, and their names."""
    from fsbench.datasets.known import DATASETS, about, is_available

    first = about(names[0])
    brought = "installed" if is_available(names[0]) else f"not here: {DATASETS[names[0]].install}"
    facts = _joined(
        [f"{first.kind} data", brought, f"licence: {first.licence}", _from(DATASETS.origin(names[0]))]
    )
    return f"{plural(len(names), 'dataset')} of {title} ({facts}):", ", ".join(names)


def _whether_here(name: str) -> str:
    from fsbench.datasets.known import dataset_info, is_available
    from fsbench.errors import DataError

    try:
        if not is_available(name):
            return "no"
        dataset_info(name)
    except DataError:
        return "damaged"
    return "yes"


def _facts(known: About) -> str:
    """What is known of a dataset: its size, its download size, its licence and its arguments."""
    from fsbench.datasets.known import DATASETS, dataset_arguments, dataset_info

    facts = [f"{known.kind}, {known.num_classes} classes"]
    if _whether_here(known.name) == "yes":
        info = dataset_info(known.name)
        facts = [f"{info.n} samples of {'x'.join(map(str, info.shape))}, {info.num_classes} classes"]
    elif known.download is not None:
        facts.append(f"{known.download} MB to download")
    facts.append(f"licence: {known.licence}")
    facts += [f"{key}={str(value).lower()}" for key, value in dataset_arguments(known.name).items()]
    return _joined([*facts, _from(DATASETS.origin(known.name))])


def suites() -> RenderableType:
    """Every suite with its size, an estimate of its time on this machine, and what is missing."""
    from rich.console import Group
    from rich.text import Text

    from fsbench.cli.estimate import roughly, suite_seconds
    from fsbench.executors.local import default_workers
    from fsbench.tasks.suites import SUITES

    rows = []
    for suite in _readable_suites():
        seconds = suite_seconds(suite)
        time = "-" if seconds is None else roughly(seconds)
        size = f"{len(suite.tasks)} x {suite.split_seeds}"
        facts = [*_lacks(suite), *filter(None, [_from(SUITES.origin(suite.name))])]
        rows.append((suite.name, size, time, suite.description, "\n".join(facts)))
    notes = (
        f"time: an estimate for erm alone on the {default_workers('cpu')} cores of this machine; every "
        "other strategy adds to it, and a GPU is faster",
        "unchecked: no fingerprint of these splits is published yet, so they cannot be checked",
    )
    listed = table(("suite", "tasks x seeds", "time", "what it is for"), rows)
    return Group(listed, *(Text(note, style="dim") for note in notes))


def _readable_suites() -> Iterator[Suite]:
    """Every suite that can be read; one line on stderr for each other."""
    from fsbench.tasks.suites import SUITES, load_suite, suite_names

    for name in suite_names():
        try:
            yield load_suite(name)
        except FsbenchError as error:
            origin = SUITES.origin(name)
            say(f"warning: suite {name}{f' of {origin.distribution}' if origin else ''}: {error}")


def _lacks(suite: Suite) -> Iterator[str]:
    """The missing data of a suite, and how many of its tasks have no published fingerprints."""
    from fsbench.datasets.known import DATASETS, download_size

    total, missing = len(suite.tasks), suite.missing()
    if missing:
        sets = {name: DATASETS[name] for name in missing if name in DATASETS and DATASETS[name].collection}
        sizes = {name: download_size(name) or 0 for name in missing if name not in sets}
        shown = [f"{name} ({size} MB)" for name, size in sizes.items()]
        if len(shown) > 4:
            shown = [*shown[:2], f"{len(shown) - 2} more ({sum(list(sizes.values())[2:])} MB)"]
        for title, install in dict.fromkeys((each.collection, each.install) for each in sets.values()):
            count = sum(each.collection == title for each in sets.values())
            shown.append(f"{plural(count, 'dataset')} of {title} ({install})")
        yield f"not here: {', '.join(shown)}: {total - len(suite.left_out())} of {total} tasks can run"
    if unpublished := len(suite.unpublished()):
        yield f"unchecked: {unpublished} of {total} tasks"


def tasks() -> RenderableType:
    """The tasks of every suite, grouped by the information that they offer."""
    rows = []
    for suite in _readable_suites():
        for offer, texts in itertools.groupby(suite.tasks, _offer):
            rows.append(("\n".join(map(_with_labels, texts)), f"{suite.name}: {offer}"))
    return table(("task",), rows)


def _with_labels(text: str) -> str:
    from fsbench.report.text import labels_of

    labels = labels_of(text)
    return f"{text}: {labels}" if labels else text


def _offer(text: str) -> str:
    from fsbench.tasks.expressions import parse_tasks
    from fsbench.tasks.suites import missing_datasets

    if absent := missing_datasets(text):
        return f"{', '.join(absent)} not here"
    (task,) = parse_tasks(text)
    info = task.info
    given = [info.kind, f"{info.num_classes} classes"]
    given += ["source data"] if info.has_source else []
    given += ["unlabeled data"] if info.num_unlabeled else []
    return ", ".join(given)


def backbones() -> RenderableType:
    """Every backbone with its parameters, its input, and its pretrained weights."""
    from fsbench.kinds import kind_names
    from fsbench.recipes.catalogue import BACKBONES

    rows = []
    for name, known in BACKBONES.items():
        about = " and ".join(kind for kind in kind_names() if known.takes(kind))
        about += f": {known.wants}" if known.wants else ""
        about += f"; weights: {', '.join(known.weights)}" if known.weights else ""
        size = "-" if known.parameters is None else f"{known.parameters:,}"
        rows.append((name, size, known.summary, _joined([about, _from(BACKBONES.origin(name))])))
    return table(("backbone", "parameters", "what it is"), rows)


def metrics() -> RenderableType:
    """Every metric with its meaning, its direction and its unit."""
    from fsbench.metrics import METRICS

    rows = []
    for name, metric in METRICS.items():
        facts = ["higher is better" if metric.higher_is_better else "lower is better"]
        facts += ["shown in %"] if metric.percent else []
        rows.append((name, metric.meaning, _joined([*facts, _from(METRICS.origin(name))])))
    return table(("metric", "what it measures"), rows)


def plugins() -> RenderableType:
    """The plugins with what they bring, and those that could not be loaded."""
    from rich.text import Text

    from fsbench.registry import get_registry

    registry = get_registry()
    rows: list[Sequence[str | Text]] = [
        (distribution, version, "\n".join(f"{noun}: {names}" for noun, names in sorts.items()))
        for (distribution, version), sorts in sorted(_brought(registry).items())
    ]
    for failure in registry.failures:
        reason = Text(f"could not be loaded: {failure.message}", style="red")
        rows.append((failure.plugin, "", reason))
    return table(("plugin", "version", "what it contains"), rows)


def _brought(registry: Registry) -> dict[Origin, dict[str, str]]:
    """The names of each sort of thing by plugin; if there are very many, their number."""
    from fsbench.registry import SORTS

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
    "kinds": kinds,
    "protocols": protocols,
    "datasets": datasets,
    "suites": suites,
    "tasks": tasks,
    "backbones": backbones,
    "metrics": metrics,
    "plugins": plugins,
}


def _from(origin: Origin | None) -> str:
    """The plugin that a thing comes from, "" for fsbench itself."""
    return (
        ""
        if origin is None or origin.distribution == HOUSE
        else f"from {origin.distribution} {origin.version}"
    )


def _joined(facts: Iterable[str]) -> str:
    return "; ".join(filter(None, facts))


def _first_line(cls: type) -> str:
    return (inspect.getdoc(cls) or "").partition("\n")[0]
