"""The names of strategies and tasks in a table: short, and different for different identities."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from fsbench.columns import Shared
from fsbench.errors import FsbenchError
from fsbench.record import Record
from fsbench.spec import format_value, parse_call, parse_list

_WORD = re.compile(r"[^\s(),+#]+")
_LONGEST = 24
_MANY = 3
_FEW = 8


def identity(record: Record | Shared) -> str:
    """What identifies the strategy of a record: its full spec, or its spec in records of older stores."""
    return record.full_spec or record.spec


def canonical(text: str) -> list[str]:
    """The canonical specs of a text; those of strategies that are not installed as the grammar writes them.

    Raises SpecError if the text is not of the grammar.
    """
    from fsbench.registry import get_registry

    try:
        return [composition.text for composition in get_registry().parse(text)]
    except FsbenchError:
        return [str(each) for each in parse_list(text)]


def strategy_names(records: Iterable[Record | Shared]) -> dict[str, str]:
    """A name for each identity: the spec and, where several share one, how they differ.

    Two versions of a plugin with other defaults become `focal [gamma=1.0]` and `focal [gamma=2.0]`.
    """
    specs: dict[str, set[str]] = defaultdict(set)
    for record in records:
        specs[identity(record)].add(record.spec)
    by_spec: dict[str, list[str]] = defaultdict(list)
    for full in sorted(specs):
        by_spec[min(specs[full])].append(full)
    return {
        full: name
        for spec, several in by_spec.items()
        for full, name in zip(several, _names(spec, several), strict=True)
    }


def some(names: Sequence[str]) -> str:
    """The names of tasks if they are few, otherwise their number."""
    return ", ".join(names) if len(names) <= _MANY else f"{len(names)} tasks"


def first_few(names: Iterable[str]) -> str:
    """The first few names, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - _FEW} more" if len(every) > _FEW else ""
    return ", ".join(every[:_FEW]) + more


def _names(spec: str, several: Sequence[str]) -> list[str]:
    if len(several) == 1:
        return [spec]
    words = [_WORD.findall(full) for full in several]
    common = set(words[0]).intersection(*words)
    special = [", ".join(word for word in each if word not in common) for each in words]
    marks = [mark if len(mark) <= _LONGEST else f"{mark[:_LONGEST]}..." for mark in special]
    if len(set(marks)) < len(marks):
        marks = [hashlib.sha256(full.encode()).hexdigest()[:8] for full in several]
    return [f"{spec} [{mark}]" if mark else spec for mark in marks]


def apart(recipes: Sequence[str]) -> dict[str, str]:
    """In what each of some recipes differs from the others: ` with steps=50`, "" where it does not."""
    read = {recipe: parse_call(recipe).keywords if recipe else {} for recipe in recipes}
    names = sorted({name for values in read.values() for name in values})
    special = [name for name in names if len({str(values.get(name)) for values in read.values()}) > 1]
    found = {}
    for recipe, values in read.items():
        shown = [f"{name}={format_value(values[name])}" for name in special if name in values]
        found[recipe] = f" with {', '.join(shown)}" if shown else ""
    return found
