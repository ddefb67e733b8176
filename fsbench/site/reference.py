"""The reference: the public interface from its docstrings, and the commands from their help."""

from __future__ import annotations

import importlib
import inspect
from collections import defaultdict
from collections.abc import Iterator

import click

import fsbench
from fsbench.site.pages import Page, code, page, sentence, table, text

FOLDER = "reference"
_PART = "Reference"


def pages(commands: click.Group) -> Iterator[Page]:
    """The index of public names, a page for each module that has some, and the commands."""
    homes = {name: fsbench._HOMES[name] for name in fsbench.__all__}
    modules: dict[str, list[str]] = defaultdict(list)
    for name, home in homes.items():
        modules[home.split(".")[1]].append(name)
    yield page(f"{FOLDER}/index.md", _index(modules), _PART, "Public interface")
    for module, names in sorted(modules.items()):
        yield page(f"{FOLDER}/{module}.md", _module(module, names, homes), _PART, module)
    yield page(f"{FOLDER}/commands.md", _commands(commands), _PART, "Commands")


def _index(modules: dict[str, list[str]]) -> Iterator[str]:
    yield from ("# Public interface", "")
    yield "Everything that can be imported from `fsbench` itself, as in `from fsbench import Strategy`."
    yield "Plugins need nothing else."
    for module, names in sorted(modules.items()):
        yield from ("", f"## {text(module)}", "")
        rows = [(f"[{code(name)}]({module}.md#{_anchor(name)})", sentence(_first(name))) for name in names]
        yield from table(("name", "what it is"), rows)


def _anchor(name: str) -> str:
    return f"{fsbench._HOMES[name]}.{name}"


def _first(name: str) -> str:
    thing = getattr(fsbench, name)
    said = inspect.getdoc(thing) if inspect.isclass(thing) or inspect.isroutine(thing) else ""
    return (said or "").partition("\n")[0]


def _module(module: str, names: list[str], homes: dict[str, str]) -> Iterator[str]:
    said = importlib.import_module(f"fsbench.{module}").__doc__ or ""
    yield from (f"# {text(module)}", "", text(said.partition("\n")[0]))
    for name in names:
        yield from ("", f"::: {homes[name]}.{name}")


def _commands(group: click.Group) -> Iterator[str]:
    yield from ("# Commands", "", "What `fsbench --help` and the help of each command say.")
    for name, each in (("", group), *sorted(group.commands.items())):
        yield from ("", f"## {text(f'fsbench {name}'.strip())}", "", "```text")
        context = click.Context(
            each, info_name=f"fsbench {name}".strip(), max_content_width=80, terminal_width=80
        )
        yield from (each.get_help(context).splitlines())
        yield "```"
