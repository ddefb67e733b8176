"""`fsbench cite`: what to cite for what was used."""

from __future__ import annotations

from typing import Any

import click

from fsbench import __version__
from fsbench.errors import UnknownName
from fsbench.spec import Call, Value, parse_list

FSBENCH = f"The fsbench developers. fsbench {__version__}: the referee for learning from little data."


@click.command()
@click.argument("names", required=False, default="", metavar="[NAMES]")
def cite(names: str) -> None:
    """Print the citations of strategies, datasets and everything else in plugins, and of fsbench.

    NAMES are specs, tasks, suites, or names of datasets, backbones or metrics, separated by commas:
    "transfer+focal, starter-v1". Without NAMES, everything that is installed is cited.
    """
    known = _citations()
    wanted = _named(names, known) if names.strip() else [name for name, text in known.items() if text]
    for name, text in [("fsbench", FSBENCH), *((name, known[name]) for name in dict.fromkeys(wanted))]:
        click.echo(click.style(name, bold=True))
        click.echo(click.wrap_text(text or "nothing but fsbench", 78, "    ", "    "))


def _citations() -> dict[str, str]:
    """The citations of strategies, datasets, protocols, backbones and metrics, by name; some have none."""
    from fsbench.datasets.known import DATASETS, about
    from fsbench.metrics import METRICS
    from fsbench.recipes.catalogue import BACKBONES
    from fsbench.registry import get_registry
    from fsbench.sorts import Sort
    from fsbench.tasks.protocols import PROTOCOLS

    found = {name: cls.cite for name, cls in sorted(get_registry().strategies.items())}
    found |= {name: about(name).citation for name in sorted(DATASETS)}
    sorts: tuple[Sort[Any], ...] = (PROTOCOLS, BACKBONES, METRICS)
    for sort in sorts:
        found |= {name: sort[name].cite for name in sort if name not in found}
    return found


def _named(text: str, known: dict[str, str]) -> list[str]:
    """The names in a list of specs, tasks, names and suites. Raises SpecError or UnknownName."""
    from fsbench.registry import get_registry
    from fsbench.tasks.suites import load_suite, suite_names

    suites, registry = suite_names(), get_registry()
    found: list[str] = []
    for call in (term for expression in parse_list(text) for term in expression.terms):
        if call.name in suites:
            found += _named(", ".join(load_suite(call.name).tasks), known)
        elif call.name in registry.strategies:
            for composition in registry.parse(str(call)):
                found += [component.name for component in composition.all_components]
        elif call.name in known:
            inner = [
                name for value in (*call.args, *call.keywords.values()) for name in _inside(value, known)
            ]
            found += [call.name, *inner] if known[call.name] or not inner else inner
        else:
            kinds = "strategy, dataset, protocol, backbone, metric or suite"
            raise UnknownName(kinds, call.name, [*known, *suites])
    return found


def _inside(value: Value, known: dict[str, str]) -> list[str]:
    """The names of an argument that can be cited."""
    name = value.name if isinstance(value, Call) else value
    return [name] if isinstance(name, str) and name in known else []
