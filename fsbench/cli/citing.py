"""`fsbench cite`: what to cite for what was used."""

from __future__ import annotations

import click

from fsbench import __version__
from fsbench.errors import UnknownName
from fsbench.spec import Call, Value, parse_list

FSBENCH = f"The fsbench developers. fsbench {__version__}: the referee for learning from little data."


@click.command()
@click.argument("names", required=False, default="", metavar="[NAMES]")
def cite(names: str) -> None:
    """Print the citations of strategies, datasets and fsbench.

    NAMES are specs, tasks, datasets or suites with commas between them: "transfer+focal, starter-v1".
    Without them, everything that is installed.
    """
    known = _citations()
    wanted = _named(names, known) if names.strip() else list(known)
    for name, text in [("fsbench", FSBENCH), *((name, known[name]) for name in dict.fromkeys(wanted))]:
        click.echo(click.style(name, bold=True))
        click.echo(click.wrap_text(text, 78, "    ", "    "))


def _citations() -> dict[str, str]:
    """The citation of every strategy, then of every dataset, by name."""
    from fsbench.datasets.known import about, dataset_names
    from fsbench.registry import get_registry

    strategies = {name: cls.cite for name, cls in sorted(get_registry().strategies.items())}
    return strategies | {name: about(name).citation for name in dataset_names()}


def _named(text: str, known: dict[str, str]) -> list[str]:
    """The names in a list of specs, tasks, datasets and suites. Raises SpecError or UnknownName."""
    from fsbench.tasks.expressions import protocol_names
    from fsbench.tasks.suites import load_suite, suite_names

    suites = suite_names()
    found: list[str] = []
    for call in (term for expression in parse_list(text) for term in expression.terms):
        if call.name in suites:
            found += _named(", ".join(load_suite(call.name).tasks), known)
        elif call.name in known:
            found.append(call.name)
        elif call.name in protocol_names():
            found += [
                name for value in (*call.args, *call.keywords.values()) for name in _datasets(value, known)
            ]
        else:
            every = [*known, *protocol_names(), *suites]
            raise UnknownName("strategy, dataset, protocol or suite", call.name, every)
    return found


def _datasets(value: Value, known: dict[str, str]) -> list[str]:
    """The dataset that an argument of a task names, if it names one."""
    name = value.name if isinstance(value, Call) else value
    return [name] if isinstance(name, str) and name in known else []
