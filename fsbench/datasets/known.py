"""The datasets by name. A new one is a line in the table: how it is described, how it is loaded."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass

from fsbench.datasets import glyphs, handwriting, image_files, keel, measurements, omniglot
from fsbench.datasets.about import About, image_sets
from fsbench.datasets.dataset import Dataset, DatasetInfo
from fsbench.datasets.files import data_dir
from fsbench.errors import DataError, SpecError, UnknownName
from fsbench.spec import NAME, Call, as_call, coerce, parse_call

__all__ = [
    "DATASETS",
    "Entry",
    "about",
    "add_dataset",
    "data_dir",
    "dataset_arguments",
    "dataset_info",
    "dataset_names",
    "download_size",
    "family",
    "is_available",
    "keep_datasets",
    "load_dataset",
]


@dataclass(frozen=True)
class Entry:
    """How a dataset is described without loading its samples, and how it is loaded.

    `describe(text, ...)` takes the dataset's arguments by name, each annotated and with a default; it
    and `load` raise AbsentData where the dataset is not on this machine. `about(name)` says what is known
    of it all the same, None where `describe` always answers. `stamp(name)` is something else whenever the
    data on this machine may be, and None where there are none. `added` is a dataset that was added, which
    no cache may keep once another takes its place.
    """

    describe: Callable[..., DatasetInfo]
    load: Callable[[DatasetInfo], Dataset]
    about: Callable[[str], About] | None = None
    stamp: Callable[[str], Hashable] = lambda name: ()
    added: Dataset | None = None


def _image_entry(known: About) -> Entry:
    return Entry(image_files.describer(known), image_files.load_image, lambda name: known, image_files.stamp)


DATASETS = {
    "breast_cancer": Entry(measurements.breast_cancer_info, measurements.load_breast_cancer),
    "digits": Entry(handwriting.digits_info, handwriting.load_digits),
    "glyphs": Entry(glyphs.glyphs_info, glyphs.load_glyphs),
    "mnist5k": Entry(handwriting.mnist5k_info, handwriting.load_mnist5k),
    "wine": Entry(measurements.wine_info, measurements.load_wine),
    **{name: _image_entry(known) for name, known in image_sets().items()},
    "omniglot": Entry(
        omniglot.omniglot_info, omniglot.load_omniglot, image_sets().__getitem__, image_files.stamp
    ),
    **dict.fromkeys(keel.names(), Entry(keel.keel_info, keel.load_keel, keel.keel_about, keel.stamp)),
}

_FAMILIES = {"mnist5k": "mnist"}


def dataset_names() -> list[str]:
    """The names of all datasets, sorted, whether they are on this machine or not."""
    return sorted(DATASETS)


def dataset_arguments(name: str) -> dict[str, object]:
    """The arguments that a dataset takes, with their defaults. Raises UnknownName."""
    return _arguments(_entry(name))


def about(name: str) -> About:
    """What is known of a dataset whether it is here or not. Raises UnknownName."""
    entry = _entry(name)
    if entry.about is not None:
        return entry.about(name)
    info = dataset_info(name)
    return About(
        name=name,
        description=info.description,
        kind=info.kind,
        licence=info.licence,
        citation=info.citation,
        family=_FAMILIES.get(name, name),
        num_classes=info.num_classes,
        shape=info.shape,
        classes=info.classes,
        symmetries=info.symmetries,
    )


def is_available(name: str) -> bool:
    """Whether a dataset is on this machine. Raises UnknownName."""
    return _entry(name).stamp(name) is not None


def family(name: str) -> str:
    """The name of the data that a dataset is made of: mnist5k is of mnist. An unknown name is its own."""
    return about(name).family if name in DATASETS else name


def download_size(name: str) -> int | None:
    """The size in MB of what `fsbench data fetch` downloads, None where nothing is. Raises UnknownName."""
    return about(name).download


def dataset_info(dataset: str | Call) -> DatasetInfo:
    """What is known of a dataset without loading its samples.

    Raises UnknownName, SpecError, AbsentData if it is not on this machine, or DataError if it is damaged.
    """
    call = as_call(dataset) if isinstance(dataset, Call) else parse_call(dataset)
    entry = _entry(call.name)
    if entry.added is not None and str(call) == call.name:
        return entry.added.info
    return _info(str(call), entry, entry.stamp(call.name))


@functools.lru_cache(maxsize=1024)
def _info(text: str, entry: Entry, stamp: Hashable) -> DatasetInfo:
    call, defaults = parse_call(text), _arguments(entry)
    wrong = [name for name in call.keywords if name not in defaults]
    if wrong or call.args:
        given = repr(wrong[0]) if wrong else "an argument without a name"
        raise SpecError(f"{call}: {call.name} takes {', '.join(defaults) or 'no arguments'}, got {given}")
    hints = inspect.get_annotations(entry.describe, eval_str=True)
    values = {k: coerce(f"{call.name}({k}={v})", v, hints[k]) for k, v in call.kwargs}
    changed = tuple((k, v) for k, v in values.items() if v != defaults[k])
    return entry.describe(str(Call(call.name, (), changed)), **values)


_loaded: dict[str, tuple[Entry, Hashable, Dataset]] = {}


def load_dataset(dataset: str | Call) -> Dataset:
    """The arrays of a dataset, loaded once and kept until `keep_datasets`. Raises as `dataset_info`."""
    info = dataset_info(dataset)
    entry = _entry(info.name)
    if entry.added is not None:
        return entry.added
    stamp = entry.stamp(info.name)
    known = _loaded.get(info.text)
    if known is None or known[:2] != (entry, stamp):
        known = _loaded[info.text] = entry, stamp, _load(info, entry)
    return known[2]


def keep_datasets(texts: Collection[str]) -> None:
    """Let go of every dataset that was loaded but these, by their canonical texts."""
    for text in _loaded.keys() - set(texts):
        del _loaded[text]


def _load(info: DatasetInfo, entry: Entry) -> Dataset:
    try:
        return entry.load(info)
    except (ImportError, OSError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"cannot load {info.text}: {reason}; is the package that brings it installed whole?"
        ) from error


def add_dataset(dataset: Dataset) -> str:
    """Register a loaded dataset of one's own under its name for this process; returns the name.

    Raises DataError if the name is taken by other data, or cannot stand in an expression.
    """
    name = dataset.info.text
    if not NAME.fullmatch(name):
        raise DataError(f"{name!r} cannot name a dataset; expected letters, digits and _, a letter first")
    if name in DATASETS and DATASETS[name].stamp(name) != dataset.fingerprint:
        raise DataError(f"a dataset {name!r} exists already, with other data; choose another name")
    DATASETS[name] = Entry(
        lambda text: dataset.info, lambda info: dataset, None, lambda name: dataset.fingerprint, dataset
    )
    return name


def _entry(name: str) -> Entry:
    if name not in DATASETS:
        raise UnknownName("dataset", name, DATASETS)
    return DATASETS[name]


def _arguments(entry: Entry) -> dict[str, object]:
    parameters = list(inspect.signature(entry.describe).parameters.values())[1:]
    return {p.name: p.default for p in parameters}
