"""The datasets by name, from plugins and `add_dataset`: how each is described and loaded."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from typing import Any

from fsbench.datasets.about import About
from fsbench.datasets.dataset import Dataset, DatasetInfo
from fsbench.datasets.files import data_dir
from fsbench.errors import DataError, FsbenchError, PluginError, SpecError
from fsbench.failure import one_line
from fsbench.sorts import Sort
from fsbench.spec import NAME, Call, as_call, coerce, parse_call

__all__ = [
    "DATASETS",
    "DatasetEntry",
    "about",
    "add_dataset",
    "data_dir",
    "dataset_arguments",
    "dataset_info",
    "dataset_names",
    "dataset_text",
    "download_size",
    "family",
    "is_available",
    "keep_datasets",
    "load_dataset",
]


@dataclass(frozen=True)
class DatasetEntry:
    """How a dataset is described without loading its samples, and how it is loaded.

    `describe(text, ...)` takes the dataset's arguments by name, each annotated and with a default, and
    returns its DatasetInfo, with `text` as given. `load(info, ...)` takes those of the arguments that it
    names and returns the Dataset. Both raise AbsentData if the data is not on this machine. `about(name)`
    says what is known even then; it is None if `describe` always works. `stamp(name)` is a value that changes
    whenever the data on this machine may have changed, and None without data. `family` names the data that it
    is made from, by default itself. Datasets of a `collection` are listed together, and `install` is the
    command that installs them. `added` is a dataset from `add_dataset`, which no cache may keep once another
    takes its place.
    """

    name: str
    describe: Callable[..., DatasetInfo]
    load: Callable[..., Dataset]
    about: Callable[[str], About] | None = None
    stamp: Callable[[str], Hashable] = lambda name: ()
    family: str = ""
    collection: str = ""
    install: str = ""
    added: Dataset | None = None


def _check(entry: Any) -> None:
    if not isinstance(entry, DatasetEntry):
        raise PluginError(f"fsbench_datasets returned {entry!r}; expected each to be an fsbench.DatasetEntry")
    for name, parameter in list(inspect.signature(entry.describe).parameters.items())[1:]:
        if parameter.default is parameter.empty or parameter.annotation is parameter.empty:
            raise PluginError(
                f"dataset {entry.name!r}: describe's argument {name!r} needs an annotation and a default"
            )


DATASETS: Sort[DatasetEntry] = Sort("dataset", "fsbench_datasets", _check, lambda entry: entry.name)


def dataset_names() -> list[str]:
    """The names of all datasets, sorted, whether they are on this machine or not."""
    return sorted(DATASETS)


def dataset_arguments(name: str) -> dict[str, object]:
    """The arguments that a dataset takes, with their defaults. Raises UnknownName."""
    return _arguments(DATASETS.find(name))


def about(name: str) -> About:
    """What is known about a dataset, whether it is on this machine or not. Raises UnknownName."""
    entry = DATASETS.find(name)
    try:
        if entry.about is not None:
            known: About = _ask(entry, "about", name)
            return known
        info = dataset_info(name)
    except DataError as error:
        return About(name, str(error), "unknown", "unknown", "", entry.family or name)
    return About(
        name=name,
        description=info.description,
        kind=info.kind,
        licence=info.licence,
        citation=info.citation,
        family=entry.family or name,
        num_classes=info.num_classes,
        shape=info.shape,
        classes=info.classes,
        symmetries=info.symmetries,
    )


def is_available(name: str) -> bool:
    """Whether a dataset is on this machine. Raises UnknownName, or DataError if this is unknown."""
    return _stamp(DATASETS.find(name)) is not None


def _stamp(entry: DatasetEntry) -> Hashable:
    found: Hashable = _ask(entry, "stamp", entry.name)
    return found


def family(name: str) -> str:
    """The name of the data that a dataset is made from: mnist for mnist5k. An unknown name is its own."""
    return about(name).family if name in DATASETS else name


def download_size(name: str) -> int | None:
    """The size in MB of the download of `fsbench data fetch`, None without one. Raises UnknownName."""
    return about(name).download


def dataset_info(dataset: str | Call) -> DatasetInfo:
    """What is known about a dataset without loading its samples.

    Raises UnknownName, SpecError, AbsentData if it is not on this machine, or DataError if it is damaged.
    """
    call = as_call(dataset) if isinstance(dataset, Call) else parse_call(dataset)
    entry = DATASETS.find(call.name)
    if entry.added is not None and str(call) == call.name:
        return entry.added.info
    return _info(str(call), entry, _stamp(entry))


def dataset_text(dataset: str | Call) -> str:
    """The canonical text of a dataset, which need not be on this machine.

    An unknown one, such as data of one's own, stays as written. Raises SpecError.
    """
    call = dataset if isinstance(dataset, Call) else parse_call(dataset)
    return _text(call, DATASETS[call.name]) if call.name in DATASETS else str(call)


def _text(call: Call, entry: DatasetEntry) -> str:
    """The canonical text of a dataset: without arguments that have their defaults. Raises SpecError."""
    values, defaults = _values(call, entry), _arguments(entry)
    changed = tuple((k, values[k]) for k in call.keywords if values[k] != defaults[k])
    return str(Call(call.name, (), changed))


@functools.lru_cache(maxsize=1024)
def _info(text: str, entry: DatasetEntry, stamp: Hashable) -> DatasetInfo:
    call = parse_call(text)
    canonical = _text(call, entry)
    found = _ask(entry, "describe", canonical, **_values(call, entry))
    if not isinstance(found, DatasetInfo):
        raise DataError(f"{call}: describe returned {found!r}; expected an fsbench.DatasetInfo")
    if found.text != canonical:
        raise DataError(
            f"{call}: describe returned the text {found.text!r}; expected the one that it was given, "
            f"{canonical!r}"
        )
    if len(found.classes) != len(found.class_counts):
        raise DataError(
            f"{call}: describe returned class_counts {found.class_counts} for {len(found.classes)} classes; "
            "expected a count for each"
        )
    return found


def _values(call: Call, entry: DatasetEntry) -> dict[str, Any]:
    """The arguments of a dataset by name, checked against those of `describe`. Raises SpecError."""
    defaults = _arguments(entry)
    wrong = [name for name in call.keywords if name not in defaults]
    if wrong or call.args:
        got = repr(wrong[0]) if wrong else "an argument without a name"
        raise SpecError(f"{call}: {call.name} takes {', '.join(defaults) or 'no arguments'}, got {got}")
    hints = inspect.get_annotations(entry.describe, eval_str=True)
    given = {k: coerce(f"{call.name}({k}={v})", v, hints[k]) for k, v in call.kwargs}
    return defaults | given


_loaded: dict[str, tuple[DatasetEntry, Hashable, Dataset]] = {}


def load_dataset(dataset: str | Call) -> Dataset:
    """The arrays of a dataset, loaded once and kept until `keep_datasets`. Raises as `dataset_info`."""
    info = dataset_info(dataset)
    entry = DATASETS.find(info.name)
    if entry.added is not None:
        return entry.added
    stamp = _stamp(entry)
    known = _loaded.get(info.text)
    if known is None or known[:2] != (entry, stamp):
        known = _loaded[info.text] = entry, stamp, _load(info, entry)
    return known[2]


def keep_datasets(texts: Collection[str], room: int = 0) -> None:
    """Release loaded datasets except these, given by their canonical texts.

    Of the others, those that were loaded first stay, as far as they fit into `room` bytes: in runs that come
    back to every dataset, they are needed next.
    """
    for text in [each for each in _loaded if each not in texts]:
        size = _loaded[text][2].nbytes
        if size <= room:
            room -= size
        else:
            del _loaded[text]


def _load(info: DatasetInfo, entry: DatasetEntry) -> Dataset:
    taken = list(inspect.signature(entry.load).parameters)[1:]
    values = _values(parse_call(info.text), entry)
    found = _ask(entry, "load", info, **{name: value for name, value in values.items() if name in taken})
    if not isinstance(found, Dataset):
        raise DataError(f"{info.text}: load returned {type(found).__name__}; expected an fsbench.Dataset")
    return found


_VERBS = {"describe": "describe", "about": "describe", "load": "load", "stamp": "look for"}


def _ask(entry: DatasetEntry, what: str, *args: Any, **values: Any) -> Any:
    """The result of a function of an entry. Errors name the dataset and its plugin."""
    try:
        return getattr(entry, what)(*args, **values)
    except FsbenchError:
        raise
    except Exception as error:
        origin = DATASETS.origin(entry.name)
        whose = f" of {origin.distribution}" if origin else ""
        raise DataError(
            f"cannot {_VERBS[what]} {entry.name}{whose} ({one_line(error)}); check that its package is "
            "completely installed"
        ) from error


def add_dataset(dataset: Dataset) -> str:
    """Register a loaded dataset under its name for this process; returns the name.

    Raises DataError if the name is taken by other data, or is not valid in an expression.
    """
    name = dataset.info.text
    if not NAME.fullmatch(name):
        raise DataError(f"{name!r} cannot name a dataset; expected letters, digits and _, a letter first")
    if name in DATASETS and DATASETS[name].stamp(name) != dataset.fingerprint:
        raise DataError(f"a dataset {name!r} exists already, with other data; choose another name")
    DATASETS[name] = DatasetEntry(
        name,
        lambda text: dataset.info,
        lambda info: dataset,
        stamp=lambda name: dataset.fingerprint,
        added=dataset,
    )
    return name


def _arguments(entry: DatasetEntry) -> dict[str, object]:
    parameters = list(inspect.signature(entry.describe).parameters.values())[1:]
    return {p.name: p.default for p in parameters}
