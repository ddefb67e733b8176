"""Writes the package of a new plugin: its code, its test, and its packaging.

The texts are files below `templates/`: `any/` has the files of every plugin, and a folder for each kind the
rest.
"""

from __future__ import annotations

import importlib.util
import keyword
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from string import Template

from fsbench import __all__ as public
from fsbench import __version__
from fsbench.errors import UsageError
from fsbench.families import groups
from fsbench.registry import SORTS
from fsbench.spec import TUNED

COMMANDS = {
    "strategy": "fsbench run --plugins erm,$name",
    "dataset": 'fsbench run --tasks "kshot($name, k=5)"',
    "protocol": 'fsbench run --tasks "$name(digits)"',
    "backbone": 'fsbench run --tasks "kshot(digits, k=5)" --recipe backbone=$name',
    "metric": "fsbench run --metric $name",
}
"""The command that uses a plugin of each kind."""

KINDS = tuple(COMMANDS)
_TEMPLATES = Path(__file__).parent / "templates"
_ENDING = ".template"
_NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")
_RESERVED = {*groups(), *KINDS, TUNED}
_IMPORTABLE = frozenset(public)


def new_plugin(name: str, parent: Path, kind: str = "strategy") -> Path:
    """Write the package `fsbench-NAME` into a folder of that name under `parent`; returns the folder.

    `kind` is one of KINDS. Raises UsageError for an invalid or taken name, or a folder that already exists;
    nothing is left of a package that could not be written completely.
    """
    values = _values(name, kind)
    _refuse_taken(name, kind, values["module"])
    folder = parent / f"fsbench-{values['dashed']}"
    try:
        folder.mkdir()
    except FileExistsError:
        raise UsageError(f"{folder} already exists; choose another name or remove it") from None
    except OSError as error:
        raise UsageError(f"cannot write {folder}: {error.strerror}") from None
    try:
        for path, text in _files(kind):
            target = folder / Template(path).substitute(values)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(Template(text).substitute(values), encoding="utf-8")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise UsageError(f"cannot write {error.filename or folder}: {error.strerror}") from None
    return folder


def _files(kind: str) -> Iterator[tuple[str, str]]:
    """The path and the text of every file of a kind's package, with `$` placeholders."""
    for root in (_TEMPLATES / "any", _TEMPLATES / kind):
        for file in sorted(root.rglob("*" + _ENDING)):
            path = file.relative_to(root).as_posix().removesuffix(_ENDING)
            yield path, file.read_text(encoding="utf-8")


def _values(name: str, kind: str) -> dict[str, str]:
    """The values of the `$` placeholders. Raises UsageError for an invalid name."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"plugin name {name!r}: expected lower-case letters, digits, '_' and '-', such as 'my_method'"
        )
    words = re.split("[_-]", name)
    class_name = "".join(word.capitalize() for word in words)
    for word, reserved in ((name, _RESERVED), (class_name, _IMPORTABLE)):
        if keyword.iskeyword(word) or word in reserved:
            meaning = "reserved by fsbench" if word in reserved else "a keyword of Python"
            raise UsageError(
                f"plugin name {name!r}: {word} is {meaning}; choose another, such as 'my_method'"
            )
    return {
        "name": name,
        "kind": kind,
        "dashed": "-".join(words),
        "module": "_".join(words),
        "class_name": class_name,
        "thing": class_name if kind in ("strategy", "protocol") else kind.upper(),
        "command": command(name, kind),
        "bounds": _bounds(),
    }


def command(name: str, kind: str) -> str:
    """The command that uses a plugin of a kind."""
    return Template(COMMANDS[kind]).substitute(name=name)


def _bounds() -> str:
    """The versions of fsbench with the same public interface: `>=0.1,<0.2`."""
    major, minor = map(int, __version__.split(".")[:2])
    return f">={major}.{minor},<{major}.{minor + 1}"


def _refuse_taken(name: str, kind: str, module: str) -> None:
    """Raise UsageError if something of the kind has the name, or the module is already installed."""
    (sort,) = (each for each in SORTS if each.noun == kind)
    if (taken := sort.brought().get(name)) is not None:
        owner = taken.origin.distribution
        raise UsageError(f"plugin name {name!r}: {kind} {name!r} exists already, in {owner}; choose another")
    if importlib.util.find_spec(f"fsbench_{module}") is not None:
        raise UsageError(f"plugin name {name!r}: the module fsbench_{module} is installed; choose another")
