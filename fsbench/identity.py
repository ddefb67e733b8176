"""What identifies a trial in addition to its task and seeds, and the packages that it uses."""

from __future__ import annotations

import hashlib
from typing import Any

from fsbench.code import code_mark, core_mark, join_marks
from fsbench.composition import Composition
from fsbench.datasets.known import DATASETS
from fsbench.kinds import KINDS
from fsbench.metrics import METRICS
from fsbench.recipes.catalogue import BACKBONES
from fsbench.registry import Registry
from fsbench.sorts import Brought, Sort
from fsbench.spec import Call, Value, parse_call
from fsbench.strategies import STRATEGIES
from fsbench.tasks.protocols import PROTOCOLS
from fsbench.types import Recipe


def full_spec(
    registry: Registry, composition: Composition, recipe: Recipe, kind: str, space: str = ""
) -> str:
    """The full spec of a trial on samples of a kind.

    It is that of the strategy with the mark of its search `space`, if the trial has one, and those of the
    core, of a plugin's kind and of a plugin's backbone.
    """
    marks = core_mark(), kind_mark(registry, kind), backbone_mark(registry, recipe)
    return join_marks(searched_spec(composition, space), *marks)


def searched_spec(composition: Composition, space: str) -> str:
    """The full spec of a strategy with the mark of the space of a search, if there is one."""
    return f"{composition.full_spec}#{space}" if space else composition.full_spec


def trial_key(
    task: str, split_seed: int, init_seed: int, full_spec: str, recipe: str, search: str = ""
) -> str:
    """What identifies a trial: 32 hexadecimal digits of a SHA-256 over its canonical texts.

    `search` is the text of the search that the trial begins with, or of the part of a split that it is on.
    """
    texts = (task, str(split_seed), str(init_seed), full_spec, recipe, *filter(None, [search]))
    return hashlib.sha256("\x1f".join(texts).encode()).hexdigest()[:32]


def kind_mark(registry: Registry, kind: str) -> str:
    """The mark of a kind of samples, as `kind:NAME:code+1a2b3c4d`; "" for one that comes with fsbench."""
    found = registry.brought[KINDS.hook].get(kind)
    mark = _named_mark(kind, found, type(found.thing).__module__) if found else ""
    return f"kind:{mark}" if mark else ""


def backbone_mark(registry: Registry, recipe: Recipe) -> str:
    """The mark of a recipe's backbone, as `NAME:code+1a2b3c4d`; "" for one that comes with fsbench."""
    name = parse_call(recipe.backbone).name
    found = registry.brought[BACKBONES.hook].get(name)
    return _named_mark(name, found, found.thing.make.partition(":")[0]) if found else ""


def metric_marks(registry: Registry) -> dict[str, str]:
    """The marks of metrics by name; metrics that come with fsbench unchanged have none."""
    found = registry.brought[METRICS.hook].items()
    marks = {name: _named_mark(name, each, each.thing.function.__module__) for name, each in found}
    return {name: mark.removeprefix(f"{name}:") for name, mark in marks.items() if mark}


def versions(
    registry: Registry, composition: Composition, task: str = "", recipe: str = "", kind: str = ""
) -> dict[str, str]:
    """The distributions, with their versions, of what a trial used.

    These are those of its components and, given a task and a recipe as texts, of its protocol, its
    datasets, its backbone, every metric, and the kind of its samples.
    """
    used: list[tuple[Sort[Any], str]] = [
        (STRATEGIES, component.name) for component in composition.all_components
    ]
    if task:
        call = parse_call(task)
        named = {_name(value) for value in (*call.args, *call.keywords.values())}
        used += [(PROTOCOLS, call.name), *((DATASETS, name) for name in sorted(named - {""}))]
    if recipe:
        used += [(BACKBONES, _name(parse_call(recipe).keywords["backbone"]))]
        used += [(METRICS, name) for name in registry.brought[METRICS.hook]]
    used += [(KINDS, kind)]
    known = [registry.brought[sort.hook].get(name) for sort, name in used]
    return dict(sorted(each.origin for each in known if each is not None))


def _named_mark(name: str, found: Brought[Any], module: str) -> str:
    mark = code_mark(name, found.thing.results_version, found.origin, {found.module, module})
    return f"{name}:{mark}" if mark else ""


def _name(value: Value) -> str:
    """The name in an argument such as `digits` or `mnist5k(size=8)`, "" if there is none."""
    return value.name if isinstance(value, Call) else value if isinstance(value, str) else ""
