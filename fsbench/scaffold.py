"""Writes the package of a new plugin: one strategy, its test, and what makes it installable."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template

from fsbench.errors import UsageError

_NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")

_PYPROJECT = """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "fsbench-$dashed"
version = "0.1.0"
description = "The strategy $name for fsbench"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["fsbench"]

[project.optional-dependencies]
test = ["pytest"]

[project.entry-points.fsbench]
$name = "fsbench_$module"
"""

_STRATEGY = '''\
"""Label smoothing, to be replaced by a method of your own."""

from dataclasses import dataclass

from fsbench import Strategy, hookimpl, param


@dataclass(frozen=True)
class $class_name(Strategy):
    """Moves every target some way towards the uniform distribution."""

    name = "$name"
    cite = "Szegedy et al. (2016). Rethinking the Inception architecture for computer vision. CVPR."
    amount: float = param(0.1, low=0.0, high=0.9)

    def loss(self, logits, targets, inner, ctx):
        return inner(logits, (1 - self.amount) * targets + self.amount / targets.shape[1])


@hookimpl
def fsbench_strategies():
    return [$class_name]
'''

_TEST = """\
import pytest
from fsbench.testing import conformance

from fsbench_$module import $class_name


@pytest.mark.parametrize("check", conformance($class_name), ids=str)
def test_conformance(check):
    reason = check()
    if reason:
        pytest.skip(reason)
"""

_README = """\
# fsbench-$dashed

The strategy `$name` for fsbench. It lives in
`src/fsbench_$module/__init__.py`.

    pip install -e .[test]
    pytest                              # the conformance kit
    fsbench plugin check $name
    fsbench run --plugins erm,$name
"""

_FILES = {
    "pyproject.toml": _PYPROJECT,
    "README.md": _README,
    "src/fsbench_$module/__init__.py": _STRATEGY,
    "tests/test_$module.py": _TEST,
}


def new_plugin(name: str, parent: Path) -> Path:
    """Write the package `fsbench-NAME` into a folder of that name under `parent`; returns the folder.

    Raises UsageError for a name that cannot be one, or a folder that is there already.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"plugin name {name!r}: expected lower-case letters, digits, '_' and '-', such as 'my_method'"
        )
    words = re.split("[_-]", name)
    values = {
        "name": name,
        "dashed": "-".join(words),
        "module": "_".join(words),
        "class_name": "".join(word.capitalize() for word in words),
    }
    folder = parent / f"fsbench-{values['dashed']}"
    try:
        folder.mkdir()
        for path, text in _FILES.items():
            target = folder / Template(path).substitute(values)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(Template(text).substitute(values), encoding="utf-8")
    except FileExistsError:
        raise UsageError(f"{folder} is there already; choose another name or remove it") from None
    except OSError as error:
        raise UsageError(f"cannot write {folder}: {error.strerror}") from None
    return folder
