"""What to cite for strategies, datasets and everything else, by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fsbench import __version__
from fsbench.errors import FsbenchError, UnknownName
from fsbench.spec import TUNED, Call, Value, format_value, parse_list

FSBENCH = f"The fsbench developers. fsbench {__version__}: the referee for learning from little data."
NOTHING = "nothing but fsbench"
"""What stands for an empty citation."""


def citations() -> dict[str, str]:
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


def named(text: str, known: Mapping[str, str]) -> list[str]:
    """The names in a list of specs, tasks, names and suites. Raises SpecError or UnknownName."""
    from fsbench.registry import get_registry
    from fsbench.tasks.suites import load_suite, suite_names

    suites, registry = suite_names(), get_registry()
    found: list[str] = []
    for call in (term for expression in parse_list(text) for term in expression.terms):
        if call.name in suites:
            found += named(", ".join(load_suite(call.name).tasks), known)
        elif call.name == TUNED and call.args:
            found += named(format_value(call.args[0]), known)
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
            raise UnknownName(kinds, call.name, [*known, *suites], listed=True)
    return found


def of_texts(texts: Iterable[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """The citations of what some specs and tasks name, each once, and the texts that name unknown things."""
    known, names, unknown = citations(), [], []
    for text in dict.fromkeys(texts):
        try:
            names += named(text, known)
        except FsbenchError:
            unknown.append(text)
    return [(name, known[name]) for name in dict.fromkeys(names) if known[name]], unknown


def _inside(value: Value, known: Mapping[str, str]) -> list[str]:
    """The names of an argument that can be cited."""
    name = value.name if isinstance(value, Call) else value
    return [name] if isinstance(name, str) and name in known else []
