"""fsbench: the referee for learning from little data.

The public interface. Names are imported when they are first used, so that `import fsbench` is cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "AbsentData": "fsbench.errors",
    "Backbone": "fsbench.recipes.catalogue",
    "Batch": "fsbench.types",
    "Context": "fsbench.context",
    "Dataset": "fsbench.datasets.dataset",
    "DatasetEntry": "fsbench.datasets.known",
    "DatasetInfo": "fsbench.datasets.dataset",
    "Fitted": "fsbench.types",
    "FsbenchError": "fsbench.errors",
    "InertComponent": "fsbench.errors",
    "InputSpec": "fsbench.kinds.image",
    "Kind": "fsbench.kinds",
    "LabeledSet": "fsbench.types",
    "Metric": "fsbench.metrics",
    "NonFinite": "fsbench.errors",
    "OneDataset": "fsbench.tasks.protocols",
    "OwnData": "fsbench.own",
    "Predictor": "fsbench.types",
    "Protocol": "fsbench.tasks.protocols",
    "Recipe": "fsbench.types",
    "Record": "fsbench.record",
    "Results": "fsbench.results",
    "Rows": "fsbench.tasks.drawing",
    "Savable": "fsbench.savable",
    "SpecError": "fsbench.errors",
    "Split": "fsbench.tasks.drawing",
    "Step": "fsbench.types",
    "StepOutput": "fsbench.types",
    "Strategy": "fsbench.strategy",
    "Stream": "fsbench.rng",
    "Suite": "fsbench.tasks.suites",
    "TaskInfo": "fsbench.types",
    "advise": "fsbench.advising",
    "best_temperature": "fsbench.calibration",
    "dataset_info": "fsbench.datasets.known",
    "decode_texts": "fsbench.kinds.text",
    "divide": "fsbench.tasks.drawing",
    "encode_texts": "fsbench.kinds.text",
    "find_weights": "fsbench.recipes.catalogue",
    "generator": "fsbench.rng",
    "get_kind": "fsbench.kinds",
    "hookimpl": "fsbench.hookspecs",
    "load": "fsbench.results",
    "load_dataset": "fsbench.datasets.known",
    "load_suite": "fsbench.tasks.suites",
    "luminance": "fsbench.kinds.image",
    "match_inputs": "fsbench.kinds",
    "mixture_weights": "fsbench.mixing",
    "param": "fsbench.params",
    "require_finite": "fsbench.errors",
    "run": "fsbench.runner",
    "scale_width": "fsbench.recipes.catalogue",
    "source_problem": "fsbench.kinds",
    "specs": "fsbench.spec",
    "stack": "fsbench.tasks.drawing",
    "to_install": "fsbench.words",
    "training_mode": "fsbench.wrapping",
    "true_rows": "fsbench.tasks.drawing",
    "weights_hash": "fsbench.recipes.catalogue",
    "weights_problem": "fsbench.recipes.catalogue",
    "words_of": "fsbench.kinds.words",
}

__all__ = [
    "AbsentData",
    "Backbone",
    "Batch",
    "Context",
    "Dataset",
    "DatasetEntry",
    "DatasetInfo",
    "Fitted",
    "FsbenchError",
    "InertComponent",
    "InputSpec",
    "Kind",
    "LabeledSet",
    "Metric",
    "NonFinite",
    "OneDataset",
    "OwnData",
    "Predictor",
    "Protocol",
    "Recipe",
    "Record",
    "Results",
    "Rows",
    "Savable",
    "SpecError",
    "Split",
    "Step",
    "StepOutput",
    "Strategy",
    "Stream",
    "Suite",
    "TaskInfo",
    "advise",
    "best_temperature",
    "dataset_info",
    "decode_texts",
    "divide",
    "encode_texts",
    "find_weights",
    "generator",
    "get_kind",
    "hookimpl",
    "load",
    "load_dataset",
    "load_suite",
    "luminance",
    "match_inputs",
    "mixture_weights",
    "param",
    "require_finite",
    "run",
    "scale_width",
    "source_problem",
    "specs",
    "stack",
    "to_install",
    "training_mode",
    "true_rows",
    "weights_hash",
    "weights_problem",
    "words_of",
]

if TYPE_CHECKING:
    from fsbench.advising import advise
    from fsbench.calibration import best_temperature
    from fsbench.context import Context
    from fsbench.datasets.dataset import Dataset, DatasetInfo
    from fsbench.datasets.known import DatasetEntry, dataset_info, load_dataset
    from fsbench.errors import AbsentData, FsbenchError, InertComponent, NonFinite, SpecError, require_finite
    from fsbench.hookspecs import hookimpl
    from fsbench.kinds import Kind, get_kind, match_inputs, source_problem
    from fsbench.kinds.image import InputSpec, luminance
    from fsbench.kinds.text import decode_texts, encode_texts
    from fsbench.kinds.words import words_of
    from fsbench.metrics import Metric
    from fsbench.mixing import mixture_weights
    from fsbench.own import OwnData
    from fsbench.params import param
    from fsbench.recipes.catalogue import Backbone, find_weights, scale_width, weights_hash, weights_problem
    from fsbench.record import Record
    from fsbench.results import Results, load
    from fsbench.rng import Stream, generator
    from fsbench.runner import run
    from fsbench.savable import Savable
    from fsbench.spec import specs
    from fsbench.strategy import Strategy
    from fsbench.tasks.drawing import Rows, Split, divide, stack, true_rows
    from fsbench.tasks.protocols import OneDataset, Protocol
    from fsbench.tasks.suites import Suite, load_suite
    from fsbench.types import Batch, Fitted, LabeledSet, Predictor, Recipe, Step, StepOutput, TaskInfo
    from fsbench.words import to_install
    from fsbench.wrapping import training_mode


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'fsbench' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
