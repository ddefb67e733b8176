"""fsbench: the referee for learning from little data.

The public face. Names are imported when first used, so that `import fsbench` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Batch": "fsbench.types",
    "Context": "fsbench.engine.context",
    "FsbenchError": "fsbench.errors",
    "InertComponent": "fsbench.errors",
    "Kind": "fsbench.kinds",
    "LabeledSet": "fsbench.types",
    "OwnData": "fsbench.own",
    "Predictor": "fsbench.types",
    "Recipe": "fsbench.types",
    "Record": "fsbench.types",
    "Results": "fsbench.results",
    "StepOutput": "fsbench.types",
    "Strategy": "fsbench.strategy",
    "Stream": "fsbench.rng",
    "TaskInfo": "fsbench.types",
    "find_weights": "fsbench.recipes.catalogue",
    "add_kind": "fsbench.kinds",
    "get_kind": "fsbench.kinds",
    "hookimpl": "fsbench.hookspecs",
    "luminance": "fsbench.kinds.image",
    "match_inputs": "fsbench.kinds",
    "param": "fsbench.strategy",
    "run": "fsbench.runner",
    "source_problem": "fsbench.kinds",
    "weights_hash": "fsbench.recipes.catalogue",
}

__all__ = [
    "Batch",
    "Context",
    "FsbenchError",
    "InertComponent",
    "Kind",
    "LabeledSet",
    "OwnData",
    "Predictor",
    "Recipe",
    "Record",
    "Results",
    "StepOutput",
    "Strategy",
    "Stream",
    "TaskInfo",
    "add_kind",
    "find_weights",
    "get_kind",
    "hookimpl",
    "luminance",
    "match_inputs",
    "param",
    "run",
    "source_problem",
    "weights_hash",
]

if TYPE_CHECKING:
    from fsbench.engine.context import Context
    from fsbench.errors import FsbenchError, InertComponent
    from fsbench.hookspecs import hookimpl
    from fsbench.kinds import Kind, add_kind, get_kind, match_inputs, source_problem
    from fsbench.kinds.image import luminance
    from fsbench.own import OwnData
    from fsbench.recipes.catalogue import find_weights, weights_hash
    from fsbench.results import Results
    from fsbench.rng import Stream
    from fsbench.runner import run
    from fsbench.strategy import Strategy, param
    from fsbench.types import Batch, LabeledSet, Predictor, Recipe, Record, StepOutput, TaskInfo


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'fsbench' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
