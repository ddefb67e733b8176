"""The datasets by name. A new one is a line in the table: how it is described, how it is loaded."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fsbench.data import glyphs, handwriting, tables
from fsbench.data.dataset import Dataset, DatasetInfo
from fsbench.errors import DataError, SpecError, UnknownName
from fsbench.spec import Call, as_call, coerce, parse_call


@dataclass(frozen=True)
class Entry:
    """How a dataset is described without loading it, and how its arrays `x`, `y` are loaded.

    `describe(text, ...)` takes the dataset's arguments by name, each annotated and with a default.
    """

    describe: Callable[..., DatasetInfo]
    load: Callable[[DatasetInfo], tuple[np.ndarray, np.ndarray]]


DATASETS = {
    "breast_cancer": Entry(tables.breast_cancer_info, tables.load_breast_cancer),
    "digits": Entry(handwriting.digits_info, handwriting.load_digits),
    "glyphs": Entry(glyphs.glyphs_info, glyphs.load_glyphs),
    "mnist5k": Entry(handwriting.mnist5k_info, handwriting.load_mnist5k),
    "wine": Entry(tables.wine_info, tables.load_wine),
}


def dataset_names() -> list[str]:
    """The names of all datasets, sorted."""
    return sorted(DATASETS)


def dataset_arguments(name: str) -> dict[str, object]:
    """The arguments that a dataset takes, with their defaults."""
    parameters = list(inspect.signature(DATASETS[name].describe).parameters.values())[1:]
    return {p.name: p.default for p in parameters}


def dataset_info(dataset: str | Call) -> DatasetInfo:
    """What is known of a dataset without loading it. Raises UnknownName or SpecError."""
    call = as_call(dataset) if isinstance(dataset, Call) else parse_call(dataset)
    if call.name not in DATASETS:
        raise UnknownName("dataset", call.name, DATASETS)
    describe, defaults = DATASETS[call.name].describe, dataset_arguments(call.name)
    wrong = [name for name in call.keywords if name not in defaults]
    if wrong or call.args:
        given = repr(wrong[0]) if wrong else "an argument without a name"
        raise SpecError(f"{call}: {call.name} takes {', '.join(defaults) or 'no arguments'}, got {given}")
    hints = inspect.get_annotations(describe, eval_str=True)
    values = {k: coerce(f"{call.name}({k}={v})", v, hints[k]) for k, v in call.kwargs}
    changed = tuple((k, v) for k, v in values.items() if v != defaults[k])
    return describe(str(Call(call.name, (), changed)), **values)


def load_dataset(dataset: str | Call) -> Dataset:
    """The arrays of a dataset, loaded once in a process. Raises DataError, UnknownName or SpecError."""
    return _load(dataset_info(dataset).text)


@functools.cache
def _load(text: str) -> Dataset:
    info = dataset_info(text)
    try:
        x, y = DATASETS[info.name].load(info)
    except (ImportError, OSError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"cannot load {text}: {reason}; is the package that brings it installed whole?"
        ) from error
    return Dataset(info, x, y)
