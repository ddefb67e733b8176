"""`docstrings`: which library does this documentation come from? Read from the source of installed packages.

A sample is the prose at the start of the docstring of a public class or function, up to the first section,
directive or example, without the names of the libraries. Which docstrings there are depends on the installed
versions; the same versions give the same samples on every machine.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np

from fsbench.datasets.dataset import Dataset, DatasetInfo
from fsbench.errors import DataError
from fsbench.kinds.text import encode_texts

PACKAGES = {
    "numpy": ("numpy", ("fft", "lib", "linalg", "ma", "polynomial")),
    "scipy": ("scipy", ("interpolate", "linalg", "optimize", "signal")),
    "pandas": ("pandas", ("core/arrays", "core/groupby", "core/indexes", "core/reshape")),
    "scikit-learn": ("sklearn", ("cluster", "ensemble", "linear_model", "metrics", "preprocessing")),
    "torch": ("torch", ("distributions", "nn", "optim")),
}
"""The folders that are read, by distribution: the package that it installs, and parts of that."""

PER_CLASS = 200
_SHORTEST, _LONGEST = 80, 320
_NAMES = re.compile(r"\b(numpy|np|scipy|sp|pandas|pd|scikits?[- ]learn|sklearn|(py)?torch)\b\.?", re.I)
_SECTION = re.compile(
    r"\.\. |>>> |(Args|Examples?|Returns|Notes?|Shape|Inputs?|Parameters|Arguments)\b.{0,20}:$"
)
_UNDERLINE = re.compile(r"[-=~^]{3,}\s*$")
_MARKUP = re.compile(r":\w+(:\w+)?:|[`*|]|\\\w*")


def docstrings_info(text: str) -> DatasetInfo:
    """The docstrings of five packages that fsbench requires."""
    installed = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return DatasetInfo(
        text=text,
        description="which of five Python libraries a docstring comes from",
        kind="text",
        shape=(_LONGEST,),
        classes=tuple(PACKAGES),
        class_counts=(PER_CLASS,) * len(PACKAGES),
        licence="BSD 3-clause, the licence of all five",
        citation=f"the documentation in the source of {installed}",
    )


def load_docstrings(info: DatasetInfo) -> Dataset:
    """The texts of all packages. Raises DataError if a package has too few."""
    texts = [text for name in info.classes for text in _texts(name)]
    y = np.repeat(np.arange(len(info.classes), dtype=np.int64), PER_CLASS)
    return Dataset(info, encode_texts(texts, _LONGEST), y)


def _texts(name: str) -> list[str]:
    """The texts of one distribution: of all different ones, those whose hashes are smallest."""
    package, parts = PACKAGES[name]
    found = importlib.util.find_spec(package)
    root = Path(found.origin).parent if found and found.origin else Path()
    files = [file for part in parts for file in (root / part).rglob("*.py")]
    files = [file for file in files if "test" not in str(file.relative_to(root))]
    every = {_prose(text) for file in files for text in _in_file(file)}
    every = {text for text in every if len(text) >= _SHORTEST}
    if len(every) < PER_CLASS:
        raise DataError(
            f"docstrings: {name} {version(name)} has {len(every)} usable docstrings, expected {PER_CLASS}; "
            "install another version, complete with its Python source"
        )
    return sorted(every, key=lambda text: hashlib.sha256(text.encode()).digest())[:PER_CLASS]


def _in_file(file: Path) -> Iterator[str]:
    """The docstrings of the public classes and functions in a file of Python source, without running it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield ast.get_docstring(node) or ""


def _prose(docstring: str) -> str:
    """The prose before the first section, directive or example, without markup and names, in whole words."""
    lines = docstring.splitlines()
    below = [*lines[1:], ""]
    ends = (
        number
        for number, pair in enumerate(zip(lines, below, strict=False))
        if _SECTION.match(pair[0]) or _UNDERLINE.match(pair[1])
    )
    start = " ".join(lines[: next(ends, None)])
    plain = " ".join(_MARKUP.sub("", _NAMES.sub("", start)).split())
    return plain if len(plain) <= _LONGEST else plain[:_LONGEST].rsplit(" ", 1)[0]
